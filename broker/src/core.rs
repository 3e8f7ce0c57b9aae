//! State of the broker. It never looks into a payload that is not addressed to it.
//!
//! Each field is a type of its own, which alone touches its contents. Messages are routed in
//! `router/` and sent in `routing.rs`; `clients.rs` and `programs.rs` have the programs on the
//! local socket, `modules/` the processes that we start, `life.rs` and `lifecycle_actions.rs` the
//! actions of the states of `lifecycle.rs`, and `services/` our own services.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use node::{ChildEvent, ChildId, Cx, Host, StreamId};
use proto::attr::names;
use proto::config::keys;
use proto::{Object, Refusal};
use wire::{Identity, Message};

use crate::archives::Archives;
use crate::attrs::Attrs;
use crate::clients::Clients;
use crate::commands::Commands;
use crate::credit::Credit;
use crate::files::Files;
use crate::followers::Followers;
use crate::groups::Groups;
use crate::ids::Ids;
use crate::life::Life;
use crate::logbook::Logbook;
use crate::modules::Modules;
use crate::orphans::Orphans;
use crate::rexec::Rexec;
use crate::router::{Hop, ModuleId, Place, Router};
use crate::services::runat::Runat;
use crate::services::shutdown::Shutdown;
use crate::services::state_machine::Watchers;
use crate::services::{module_trace, overlay_trace};
use crate::startlog::StartLog;
use crate::strays::Strays;
use crate::tree::{Links, Tree};

/// Services that the broker answers itself.
pub const OWN_SERVICES: &[&str] = &[
    "broker",
    "log",
    "attr",
    "event",
    "service",
    "module",
    "runat",
    "state-machine",
    "shutdown",
    "config",
    "connector-local",
    "overlay",
    "groups",
    "rexec",
    "orphans",
];

/// The broker's knowledge.
pub struct Broker {
    /// Attributes.
    pub attrs: Attrs,
    /// Log ring.
    pub log: Logbook,
    pub(crate) ids: Ids,
    pub(crate) owner: u32,
    pub(crate) config: Object,
    /// Number of changes.
    pub(crate) config_version: u64,
    pub(crate) router: Router,
    /// Messages for our own services.
    pub(crate) inbox: VecDeque<Message>,
    pub(crate) clients: Clients,
    pub(crate) modules: Modules,
    pub(crate) strays: Strays,
    pub(crate) orphans: Orphans,
    /// Time of the next check for expired requests.
    pub(crate) next_look: Option<Duration>,
    pub(crate) orphan_followers: Followers<proto::orphans::List>,
    /// Methods with large answers, and who has to wait for them.
    pub(crate) bulk: BTreeSet<&'static str>,
    pub(crate) credit: Credit,
    pub(crate) life: Life,
    /// The initial program; empty for none.
    pub(crate) program: Vec<String>,
    /// Commands being run: one list at a time.
    pub(crate) commands: Option<Commands>,
    pub(crate) runat: Runat,
    pub(crate) archives: Archives,
    /// A command loads the modules of the instance.
    pub(crate) loads_by_command: bool,
    pub(crate) startlog: StartLog,
    pub(crate) watchers: Watchers,
    pub(crate) shutdown: Shutdown,
    pub(crate) rexec: Rexec,
    pub(crate) dmesg: Followers<proto::log::Dmesg>,
    pub(crate) config_watchers: Followers<proto::config::Get>,
    pub(crate) tree: Tree,
    pub(crate) groups: Groups,
    /// Followers of each group.
    pub(crate) followers: Followers<proto::groups::Get, String>,
    pub(crate) traces: Followers<proto::module::Trace, module_trace::Tap>,
    pub(crate) link_traces: Followers<proto::overlay::Trace, overlay_trace::Tap>,
    /// The broker's environment as `broker.getenv` shows it and children inherit it.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) endpoint: String,
    pub(crate) cleanup_folders: String,
}

/// Settings that the broker gets before it starts.
pub struct Setup {
    /// Attributes, those of the command line and the environment included.
    pub attrs: Attrs,
    /// The configuration that the files gave.
    pub config: Object,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// User id of the instance owner.
    pub owner: u32,
    /// Source of identities.
    pub ids: Ids,
    /// Our own.
    pub uuid: String,
    /// The other brokers.
    pub links: Links,
    /// ZeroMQ endpoint of the modules.
    pub endpoint: String,
    /// The initial program: empty for none.
    pub program: Vec<String>,
    /// Folders, separated by colons, that go with the broker.
    pub cleanup_folders: String,
}

impl Broker {
    /// A broker that has not begun to live.
    pub fn new(setup: Setup) -> Broker {
        let mut ids = setup.ids;
        let uuid = setup.uuid;
        let identity = Identity::new(&uuid).expect("a UUID is short text");
        let first_number = ids.next_row();
        let mut attrs = setup.attrs;
        attrs.put(&names::BROKER_UUID, uuid);
        attrs.put(&names::SECURITY_OWNER, setup.owner.to_string());
        let rank = attrs.number(&names::RANK) as u32;
        let hosts = attrs.value(&names::HOSTLIST).unwrap_or_default();
        let tree = Tree::new(rank, &setup.links, hosts.parse().unwrap_or_default());
        let place = Place {
            rank,
            topology: setup.links.topology,
            identity,
            owner: setup.owner,
        };
        let router = Router::new(place, OWN_SERVICES, first_number);
        let services = proto::services();
        let methods = services.iter().flat_map(|service| service.methods);
        let bulk = methods.filter(|m| m.bulk).map(|m| m.topic);
        let mut broker = Broker {
            attrs,
            log: Logbook::default(),
            ids,
            owner: setup.owner,
            config: Object::default(),
            config_version: 0,
            router,
            inbox: VecDeque::new(),
            clients: Clients::default(),
            modules: Modules::default(),
            strays: Strays::default(),
            orphans: Orphans::default(),
            next_look: None,
            orphan_followers: Followers::default(),
            bulk: bulk.collect(),
            credit: Credit::default(),
            life: Life::new(),
            program: setup.program,
            commands: None,
            runat: Runat::default(),
            archives: Archives::default(),
            loads_by_command: false,
            startlog: StartLog::default(),
            watchers: Watchers::default(),
            shutdown: Shutdown::default(),
            rexec: Rexec::new(rank),
            dmesg: Followers::default(),
            config_watchers: Followers::default(),
            tree,
            groups: Groups::default(),
            followers: Followers::default(),
            traces: Followers::default(),
            link_traces: Followers::default(),
            env: setup.env,
            endpoint: setup.endpoint,
            cleanup_folders: setup.cleanup_folders,
        };
        broker.set_config(setup.config);
        broker
    }

    /// Lives by this configuration from now on.
    pub(crate) fn set_config(&mut self, config: Object) {
        self.config = config;
        self.config_version += 1;
        self.router
            .set_private(self.allows(&keys::ACCESS_PRIVATE_MODE));
    }

    /// The module behind an identity.
    pub(crate) fn module_of(&self, sender: Option<&Identity>) -> Option<ModuleId> {
        match self.router.party(sender?)? {
            Hop::Module(id) => Some(id),
            _ => None,
        }
    }
}

impl Host for Broker {
    const NAME: &'static str = "broker";
    type Worker = Files;
    const HOPS_SINCE_STAMP: usize = 0;

    fn closed(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        self.dmesg.forget(stream);
        self.orphan_followers.forget(stream);
        self.config_watchers.forget(stream);
        self.followers.forget(stream);
        self.traces.forget(stream);
        self.link_traces.forget(stream);
        self.tree.forget_stream(stream);
        self.rexec.closed(cx, stream);
        self.watchers.forget(stream);
        self.shutdown.forget(stream);
    }

    fn child(&mut self, cx: &mut Cx<Self>, child: ChildId, event: ChildEvent) {
        if self.rexec.has(child) {
            self.rexec_child(cx, child, event);
        } else if !self.module_child(cx, child, &event) {
            self.stage_child(cx, child, event);
        }
    }

    fn signal(&mut self, cx: &mut Cx<Self>, signum: i32) {
        self.take_signal(cx, signum);
    }

    fn disconnected(&mut self, cx: &mut Cx<Self>, gone: &node::Peer) {
        self.leave_groups_of(cx, gone);
        self.watcher_left(cx, gone);
    }

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.hand_due(cx);
        self.send_group_changes(cx);
        self.report_orphans(cx);
    }

    /// The broker does not stop for a message: `shutdown.start` and signals end it.
    fn stop(&mut self, _cx: &mut Cx<Self>) {}

    fn configure(&mut self, _cx: &mut Cx<Self>, _conf: &Object) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_invariants(&self) {
        self.router.check();
        self.credit.check();
        self.rexec.check_invariants();
        for (id, name) in self.modules.names() {
            assert_eq!(self.router.provider(name), Some(Hop::Module(id)));
        }
    }
}

/// Seconds as timers take them.
pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
