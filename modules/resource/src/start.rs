//! From nothing to RUNNING: recall the log and R, look at this machine, and settle on
//! one resource set (protocol/13 section 3, "Resource sources in order").

use node::{Cx, Recall};
use proto::attr::names;
use proto::config::keys;
use proto::data::{Entry, Hostlist, IdSet, JobId, Rset, eventlog};
use proto::kvs::{Commit, Lookup, PRIMARY};
use proto::resource::{EVENTLOG_KEY, R_KEY, REQUESTS_KEY};
use proto::{Errno, Refusal, groups, state_machine};
use serde_json::{Value, json};

use crate::core::{Resource, hostname};
use crate::follower;
use crate::inventory::{self, CONFIGURED, Inventory, OF_JOB, STORED};
use crate::machine::Found;

/// Begins on rank 0: after the last commit of a predecessor, with the requests that it did.
pub fn begin(cx: &mut Cx<Resource>) {
    cx.call(&Commit::new(PRIMARY), |_, cx, result| match result {
        Ok(_) => recall_requests(cx),
        Err(refusal) if refusal.errno == Errno::EHOSTUNREACH => begin(cx),
        // Refused after everything before it was applied or refused: reading goes on.
        Err(refusal) if refusal.may_pass() => recall_requests(cx),
        Err(refusal) => cx.started(Err(refusal)),
    });
}

fn recall_requests(cx: &mut Cx<Resource>) {
    lookup(cx, REQUESTS_KEY, |core, cx, requests| {
        match requests.map_or_else(|| Ok(Recall::default()), |text| Recall::decode(&text)) {
            Ok(recall) => {
                core.store.recall = recall;
                recall_log(cx);
            }
            Err(refusal) => cx.started(Err(refusal)),
        }
    });
}

fn recall_log(cx: &mut Cx<Resource>) {
    lookup(cx, EVENTLOG_KEY, |core, cx, log| {
        let log = log.unwrap_or_default();
        match eventlog::decode_log(&log) {
            Ok(entries) => {
                core.stamps
                    .note(entries.last().map_or(0.0, Entry::timestamp));
                core.journal.recall(entries.clone());
                recall_r(core, cx, entries);
            }
            Err(error) => {
                let text = format!("{EVENTLOG_KEY}: {error}");
                cx.started(Err(Refusal::new(Errno::EINVAL, text)));
            }
        }
    });
}

fn recall_r(core: &mut Resource, cx: &mut Cx<Resource>, entries: Vec<Entry>) {
    let defines = entries.iter().filter(|e| e.name() == "resource-define");
    let methods = defines.map(|e| e.get_str("method").unwrap_or(STORED).to_owned());
    let methods: Vec<String> = methods.collect();
    core.recalled = entries;
    if methods.is_empty() {
        return discover(cx, None);
    }
    let origin = methods.into_iter().rev().find(|method| method != STORED);
    let origin = origin.unwrap_or(STORED.to_owned());
    lookup(cx, R_KEY, |_, cx, r| {
        let r = r.and_then(|bytes| String::from_utf8(bytes).ok());
        match r.map(|text| Rset::decode(&text)).transpose() {
            Ok(stored) => discover(cx, stored.map(|set| (set, origin))),
            Err(error) => {
                let text = format!("{R_KEY}: {error}");
                cx.started(Err(Refusal::new(Errno::EINVAL, text)));
            }
        }
    });
}

fn lookup(
    cx: &mut Cx<Resource>,
    key: &'static str,
    then: impl FnOnce(&mut Resource, &mut Cx<Resource>, Option<Vec<u8>>) + 'static,
) {
    let request = Lookup::new(PRIMARY, key, 0);
    cx.call(&request, move |core, cx, result| match result {
        Ok(found) => then(core, cx, found.bytes().map(|bytes| bytes.to_vec())),
        Err(refusal) if refusal.errno == Errno::ENOENT => then(core, cx, None),
        Err(refusal) => {
            let text = format!("error looking up {key}: {refusal}");
            cx.started(Err(Refusal::new(refusal.errno, text)));
        }
    });
}

/// Files that the worker is to read, besides the host's resources. It shares nothing with
/// us.
struct Look {
    restrict: bool,
    /// File with R.
    path: Option<String>,
    /// File with the scheduler's part of configured resources.
    scheduling: Option<String>,
    /// Instance that this one is a job of, and the job.
    parent: Option<(String, JobId)>,
}

/// Results of reading.
struct Seen {
    found: Result<Found, String>,
    file: Option<Result<Rset, String>>,
    scheduling: Option<Result<Value, String>>,
    parent: Option<Result<Rset, String>>,
}

/// R of an earlier life, and the method by which it was made.
type Stored = Option<(Rset, String)>;

/// Looks at this machine, and at the other places that R may come from.
pub fn discover(cx: &mut Cx<Resource>, stored: Stored) {
    let look = look(cx, stored.is_some());
    cx.work(
        move |machine| Seen {
            found: machine.discover(look.restrict),
            file: look.path.map(|path| read_r(machine, &path)),
            scheduling: look.scheduling.map(|path| read_json(machine, &path)),
            parent: look.parent.map(|(uri, id)| machine.r_of_job(&uri, id)),
        },
        move |core: &mut Resource, cx, seen| {
            let configured = match (seen.file, core.settings.config.clone()) {
                (Some(file), _) => file.map(Some),
                (None, config) => Ok(config),
            };
            let scheduling = seen.scheduling.transpose();
            match configured.and_then(|set| Ok((set, scheduling?))) {
                Ok((mut set, scheduling)) => {
                    if let (Some(set), Some(scheduling)) = (&mut set, scheduling) {
                        set.set_scheduling(Some(scheduling));
                    }
                    settle(core, cx, seen.found, stored, set, seen.parent);
                }
                Err(text) => cx.started(Err(Refusal::new(Errno::EINVAL, text))),
            }
        },
    );
}

fn look(cx: &Cx<Resource>, is_stored: bool) -> Look {
    let args = cx.welcome().args.clone().unwrap_or_default();
    let is_arg = args.iter().any(|arg| arg == "norestrict");
    let is_conf = cx.conf(&keys::RESOURCE_NORESTRICT) == Some(&json!(true));
    let mut look = Look {
        restrict: !is_arg && !is_conf,
        path: None,
        scheduling: None,
        parent: None,
    };
    if is_stored || cx.rank() != 0 {
        return look;
    }
    let text = |key| cx.conf(key).and_then(Value::as_str).map(str::to_owned);
    look.path = text(&keys::RESOURCE_PATH);
    let is_configured = look.path.is_some() || cx.conf(&keys::RESOURCE_CONFIG).is_some();
    look.scheduling = text(&keys::RESOURCE_SCHEDULING).filter(|_| is_configured);
    let is_rediscovered = cx.conf(&keys::RESOURCE_REDISCOVER) == Some(&json!(true));
    if !is_configured && !is_rediscovered {
        let id = cx.attr(&names::JOBID).and_then(|id| id.parse().ok());
        look.parent = cx.attr(&names::PARENT_URI).map(str::to_owned).zip(id);
    }
    look
}

/// Reads a file with R.
pub fn read_r(machine: &mut crate::Worker, path: &str) -> Result<Rset, String> {
    let text = machine.read(path)?;
    Rset::decode(&text).map_err(|error| format!("{path}: error parsing R: {error}"))
}

/// Reads a file with the scheduler's part of R.
pub fn read_json(machine: &mut crate::Worker, path: &str) -> Result<Value, String> {
    let about = |why: String| format!("resource.scheduling: {why}");
    let text = machine.read(path).map_err(about)?;
    serde_json::from_str(&text).map_err(|error| {
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        about(format!("{path}: {why} on line {}", error.line()))
    })
}

fn settle(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    found: Result<Found, String>,
    stored: Stored,
    configured: Option<Rset>,
    parent: Option<Result<Rset, String>>,
) {
    let found = found.unwrap_or_else(|text| {
        tracing::error!("resource discovery: {text}");
        Found::default()
    });
    core.topology = found.topology.clone();
    let own = inventory::fragment(cx.rank(), hostname(cx), found);
    if cx.rank() != 0 {
        return follower::begin(core, cx, &own);
    }
    if let Err(refusal) = begin_log(core, cx) {
        return cx.started(Err(refusal));
    }
    // Lists R and the brokers in one order: that of the brokers.
    let known = match (stored, configured) {
        (Some((set, origin)), _) => Some((set, STORED, origin)),
        (None, Some(set)) => Some((set, CONFIGURED, CONFIGURED.to_owned())),
        (None, None) => {
            of_parent(&core.hostlist, parent).map(|set| (set, OF_JOB, OF_JOB.to_owned()))
        }
    };
    match known {
        Some((set, method, origin)) => {
            let set = inventory::rerank(set, &core.hostlist);
            core.define(cx, Inventory::new(set, method, &origin));
        }
        None => core.await_reports(cx),
    }
    core.report(cx, &own, None);
    cx.started(Ok(()));
}

/// R as the parent instance has it. Without it, discovery sees only the resources to
/// which the job is bound.
fn of_parent(hosts: &Hostlist, parent: Option<Result<Rset, String>>) -> Option<Rset> {
    match parent? {
        Ok(set) => {
            let own = inventory::of_job(&set, hosts);
            if own.is_none() {
                let job = set.nodelist();
                tracing::warn!("R of the enclosing job has {job}, the brokers are on {hosts}");
            }
            own
        }
        Err(text) => {
            tracing::warn!("R of the enclosing job: {text}");
            None
        }
    }
}

/// The events that every life begins with, and the watch over other ranks.
fn begin_log(core: &mut Resource, cx: &mut Cx<Resource>) -> Result<(), Refusal> {
    core.hosts = core.hosts_of(None);
    if core.settings.path.is_none() && core.settings.config.is_none() {
        // R will have these ranks and hosts, and an exclusion that is none ends the start.
        core.excluded_by(&core.settings.exclude)?;
    }
    let all = IdSet::first_n(core.size);
    let restart = json!({
        "ranks": all, "online": "", "nodelist": core.hostlist.to_string(),
    });
    core.post(cx, "restart", &restart, None);
    let change = core.monitor.receive(IdSet::from(0));
    core.ranks_changed(cx, &change);
    if core.size > 1 {
        watch_online(cx);
        watch_torpid(cx);
        watch_end(cx);
    }
    Ok(())
}

/// From its end on, an instance does not take ranks that go for lost.
fn watch_end(cx: &mut Cx<Resource>) {
    let request = state_machine::Monitor::default();
    cx.stream_with(
        node::Call::new(&request),
        |core: &mut Resource, _, result| match result {
            Ok(now) => core.is_ending = now.state > state_machine::RUN,
            Err(refusal) => tracing::error!("state-machine.monitor: {refusal}"),
        },
    );
}

fn watch_online(cx: &mut Cx<Resource>) {
    let request = groups::Get {
        name: groups::ONLINE.to_owned(),
    };
    cx.stream_with(
        node::Call::new(&request),
        |core: &mut Resource, cx, result| match result {
            Ok(group) => {
                let mut heard = group.members;
                heard.insert(0);
                let change = core.monitor.receive(heard);
                core.ranks_changed(cx, &change);
            }
            Err(refusal) => tracing::error!("{}: {refusal}", groups::ONLINE),
        },
    );
}

fn watch_torpid(cx: &mut Cx<Resource>) {
    let request = groups::Get {
        name: groups::TORPID.to_owned(),
    };
    cx.stream_with(
        node::Call::new(&request),
        |core: &mut Resource, cx, result| match result {
            Ok(group) => {
                let (torpid, lively) = core.monitor.set_torpid(group.members);
                for (name, ranks) in [("torpid", torpid), ("lively", lively)] {
                    if !ranks.is_empty() {
                        core.post(cx, name, &json!({ "idset": ranks }), None);
                    }
                }
                core.notify_scheduler(cx);
            }
            Err(refusal) => tracing::error!("{}: {refusal}", groups::TORPID),
        },
    );
}
