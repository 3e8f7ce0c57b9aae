//! Setting the stage: a broker, its modules in order, the links of the programs.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use broker::attrs::Attrs;
use broker::files::Files;
use broker::membership::{Member, settle};
use broker::{BrokerNode, Ids, Links, Setup};
use content::Content;
use cron::Cron;
use heartbeat::Heartbeat;
use kvs::Kvs;
use kvs_watch::KvsWatch;
use node::{Input, Module, ModuleNode, PeerId, PeerKind};
use proto::attr::names;
use proto::data::Topology;
use proto::data::topology::Scheme;
use proto::module::{Load, Remove};
use proto::{Method, Object};
use tempfile::TempDir;
use wire::{Kind, Message};

use crate::between::Between;
use crate::echo::Echo;
use crate::hosted::{AnyNode, Hosted};
use crate::jobs::Shells;
use crate::play::Play;
use crate::world::{QUIET_STEPS_MAX, World};

/// Number of the first program's link; modules count up from below.
const FIRST_PROGRAM: u64 = 1_000_000;
/// The owner of the instance.
pub const OWNER: u32 = 100;
/// Shape of the tree where there are many.
const SCHEME: Scheme = Scheme::Kary(2);
/// Steps that bring a broker to RUN.
const START_STEPS: u64 = 16;

/// Loads and removes modules, one request after the other.
pub(crate) struct Loader {
    pub(crate) peer: PeerId,
    requests: VecDeque<Message>,
    /// The request that has no answer yet.
    waits: Option<Message>,
}

impl Loader {
    /// A loader on this link.
    pub(crate) fn new(peer: PeerId) -> Loader {
        Loader {
            peer,
            requests: VecDeque::new(),
            waits: None,
        }
    }

    fn load(&mut self, name: &str, args: &[&str]) -> Option<Message> {
        let load = Load {
            path: name.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            name: None,
            loader: None,
            exec: None,
        };
        self.add(&load)
    }

    /// Removes a module and loads it again.
    pub(crate) fn reload(&mut self, name: &str, args: &[&str]) -> Option<Message> {
        let remove = Remove {
            name: name.to_owned(),
            cancel: None,
            returns: Some(true),
        };
        let first = self.add(&remove);
        self.load(name, args);
        first
    }

    fn add(&mut self, request: &impl Method) -> Option<Message> {
        self.requests.push_back(request.to_message(1));
        self.waits.is_none().then(|| self.next()).flatten()
    }

    fn next(&mut self) -> Option<Message> {
        self.waits = self.requests.pop_front();
        self.waits.clone()
    }

    /// The next request, when the one before is answered. A module that was killed before
    /// it ran is loaded again, as an operator would.
    pub(crate) fn take(&mut self, message: &Message) -> Option<Message> {
        let Kind::Response { errnum, .. } = message.kind else {
            panic!("{message:?}");
        };
        match self.waits.take() {
            Some(request) if errnum != 0 && request.topic() == Load::TOPIC => {
                self.requests.push_front(request);
            }
            _ => {}
        }
        self.next()
    }

    /// True if all requests are completed.
    pub(crate) fn is_idle(&self) -> bool {
        self.waits.is_none()
    }
}

/// A folder for data that survives a crash.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

/// The host of a rank.
pub(crate) fn host(rank: u32, size: u32) -> String {
    match size {
        1 => "sim".to_owned(),
        _ => format!("sim{rank}"),
    }
}

/// The tree of a play.
fn topology(play: Play) -> Topology {
    Topology::new(SCHEME, play.size())
}

/// The folder of a broker: that of rank 0 outlives it, a follower's is its own.
fn folder_of(folder: &TempDir, rank: usize, seed: u64) -> PathBuf {
    if rank == 0 {
        return folder.path().to_owned();
    }
    let own = folder.path().join(format!("rank{rank}-{seed}"));
    std::fs::create_dir_all(&own).expect("there is room for a folder");
    own
}

/// A broker that has not begun.
pub(crate) fn broker(
    play: Play,
    rank: usize,
    seed: u64,
    folder: Option<&TempDir>,
    config: Object,
) -> Hosted<BrokerNode> {
    let size = play.size();
    let mut attrs = Attrs::default();
    attrs.put(&names::LOCAL_URI, format!("local:///sim/local-{rank}"));
    attrs.put(&names::HOSTNAME, host(rank as u32, size));
    let in_table = "it is in the table";
    attrs
        .set_from_command_line("ferroflux.personality=minimal")
        .expect(in_table);
    attrs
        .set_from_command_line("broker.rc2_none")
        .expect(in_table);
    for attr in play.attrs() {
        attrs.set_from_command_line(attr).expect(in_table);
    }
    if let Some(folder) = folder.map(|folder| folder_of(folder, rank, seed)) {
        let folder = folder.display();
        attrs
            .set_from_command_line(&format!("statedir={folder}"))
            .expect(in_table);
    }
    let tree = topology(play);
    if size > 1 {
        attrs.put(&names::HOSTLIST, format!("sim[0-{}]", size - 1));
        let member = Member {
            rank: rank as u32,
            tree: &tree,
            scheme: SCHEME,
        };
        settle(&mut attrs, &member).expect("the attributes fit together");
    }
    let links = match size {
        1 => Links::alone(),
        _ => Links::new(tree),
    };
    let setup = Setup {
        config,
        ..setup(attrs, seed.wrapping_add(rank as u64), links)
    };
    let names = play.modules().iter().map(|(name, _)| name);
    let files = Files {
        known: names
            .map(|name| ((*name).to_owned(), (*name).to_owned()))
            .collect(),
        ..Files::default()
    };
    let node = BrokerNode::new(setup, |_| proto::common::RusageReply::default());
    Hosted::new(node, files)
}

/// A broker of a tree, which has not begun and is started without modules. It knows the
/// hosts of the others if it is `told` them.
pub(crate) fn broker_of_tree(
    rank: usize,
    scheme: Scheme,
    topology: &Topology,
    seed: u64,
    told: bool,
) -> Hosted<BrokerNode> {
    let mut attrs = Attrs::default();
    attrs.put(&names::LOCAL_URI, format!("local:///sim/local-{rank}"));
    attrs.put(&names::HOSTNAME, format!("sim{rank}"));
    if told {
        let last = topology.size() - 1;
        attrs.put(&names::HOSTLIST, format!("sim[0-{last}]"));
    }
    let in_table = "it is in the table";
    for attr in ["ferroflux.personality=minimal", "broker.rc2_none"] {
        attrs.set_from_command_line(attr).expect(in_table);
    }
    let member = Member {
        rank: rank as u32,
        tree: topology,
        scheme,
    };
    settle(&mut attrs, &member).expect("the attributes fit together");
    let seed = seed.wrapping_mul(1_000_000_007).wrapping_add(rank as u64);
    let setup = setup(attrs, seed, Links::new(topology.clone()));
    let node = BrokerNode::new(setup, |_| proto::common::RusageReply::default());
    Hosted::new(node, Files::default())
}

fn setup(attrs: Attrs, seed: u64, links: Links) -> Setup {
    Setup {
        attrs,
        config: Object::default(),
        env: BTreeMap::new(),
        owner: OWNER,
        ids: Ids::from_seed(seed),
        uuid: Ids::from_seed(!seed).next_uuid(),
        links,
        endpoint: "sim".to_owned(),
        program: Vec::new(),
        cleanup_folders: String::new(),
    }
}

/// A module without a worker.
fn alone<M: Module<Worker = ()>>() -> Box<dyn AnyNode> {
    Box::new(Hosted::new(ModuleNode::<M>::default(), ()))
}

/// A module by its name.
pub(crate) fn module(name: &str, shells: &Shells) -> Box<dyn AnyNode> {
    match name {
        "echo" => alone::<Echo>(),
        "cron" => Box::new(Hosted::new(ModuleNode::<Cron>::default(), Cron::utc())),
        "heartbeat" => alone::<Heartbeat>(),
        "content" => Box::new(Hosted::new(
            ModuleNode::<Content>::default(),
            content::Store::default(),
        )),
        "kvs" => alone::<Kvs>(),
        "kvs-watch" => alone::<KvsWatch>(),
        "resource" => Box::new(Hosted::new(
            ModuleNode::<resource::Resource>::default(),
            Box::new(resource::ThisMachine) as Box<dyn resource::Machine>,
        )),
        "job-manager" => Box::new(Hosted::new(
            ModuleNode::<job_manager::JobManager>::default(),
            Box::new(shells.early.clone()) as Box<dyn ahead::Log>,
        )),
        "job-info" => alone::<job_info::JobInfo>(),
        "job-list" => alone::<job_list::JobList>(),
        "job-ingest" => Box::new(Hosted::new(
            ModuleNode::<job_ingest::JobIngest>::default(),
            job_ingest::names_of as job_ingest::Directory,
        )),
        "job-exec" => Box::new(Hosted::new(
            ModuleNode::<job_exec::JobExec>::default(),
            job_exec::Surroundings {
                job_shell: "no shell is started".to_owned(),
                processes: Box::new(shells.pids.clone()),
                begun: Box::new(shells.begun.clone()),
            },
        )),
        "sched-simple" => alone::<sched_simple::SchedSimple>(),
        "sched-fifo" => alone::<sched_simple::SchedFifo>(),
        "sched-backfill" => alone::<sched_simple::SchedBackfill>(),
        other => panic!("no such module: {other}"),
    }
}

impl World {
    /// Starts the broker, loads the modules, connects the programs.
    pub(crate) fn set_the_stage(&mut self) {
        let tree = topology(self.play);
        let parents = (0..self.play.size()).map(|rank| tree.parent(rank).unwrap_or(0) as usize);
        self.between = Between::new(parents.collect());
        let ranks = 0..self.play.size() as usize;
        let brokers = ranks.clone().map(|rank| {
            let folder = self.folder.as_ref();
            let broker = broker(self.play, rank, self.seed, folder, self.config());
            Some(broker)
        });
        self.brokers = brokers.collect();
        for rank in ranks.clone() {
            self.wake_broker(rank);
        }
        // A broker answers requests once it is past its first states.
        for _ in 0..START_STEPS * ranks.len() as u64 {
            while let Some(way) = self.busy_between().first() {
                self.pass_between(*way);
                self.finish_step();
            }
            self.pass_time();
            self.finish_step();
        }
        self.loaders = ranks.clone().map(|_| Loader::new(PeerId::BROKER)).collect();
        for rank in ranks.clone() {
            self.load_modules(rank);
        }
        for _ in 0..QUIET_STEPS_MAX {
            if !self.has_work() {
                let all = ranks.clone().map(|rank| self.play.modules_of(rank).count());
                assert_eq!(self.processes.len(), all.sum::<usize>());
                let links = (0..self.programs.len()).map(|at| self.connect(at % ranks.len()));
                self.links = links.collect();
                return;
            }
            self.step();
        }
        panic!("the modules do not start: {:#?}", self.last_lines());
    }

    /// The configuration that brokers begin with now.
    pub(crate) fn config(&self) -> Object {
        match self.play {
            Play::JobsPolicy => self.shells.ledger.borrow().site.config(),
            play => play.config(),
        }
    }

    /// A broker's process starts.
    pub(crate) fn wake_broker(&mut self, rank: usize) {
        let (peer, kind) = (PeerId::BROKER, PeerKind::Broker);
        self.deliver_to_broker(rank, Input::PeerUp { peer, kind });
        if rank > 0 {
            let (peer, kind) = (PeerId::PARENT, PeerKind::Parent);
            self.deliver_to_broker(rank, Input::PeerUp { peer, kind });
        }
    }

    /// The modules of a broker are loaded, one after the other.
    pub(crate) fn load_modules(&mut self, rank: usize) {
        let mut loader = Loader::new(self.connect(rank));
        for (name, args) in self.play.modules_of(rank) {
            let first = loader.load(name, args);
            self.to_broker.entry(loader.peer).or_default().extend(first);
        }
        self.loaders[rank] = loader;
    }

    /// A new link on a broker's socket.
    pub(crate) fn connect(&mut self, rank: usize) -> PeerId {
        self.last_peer += 1;
        let peer = PeerId(FIRST_PROGRAM + self.last_peer);
        self.homes.insert(peer, rank);
        let kind = PeerKind::Client {
            uid: OWNER,
            gids: Vec::new(),
            pid: 1,
        };
        self.to_broker.insert(peer, VecDeque::new());
        self.deliver_to_broker(rank, Input::PeerUp { peer, kind });
        peer
    }
}
