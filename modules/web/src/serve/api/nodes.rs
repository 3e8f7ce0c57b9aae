//! `/api/v1/nodes.json`: the brokers of the instance as a tree, and the state of their nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use client::Call;
use proto::attr::names::HOSTLIST;
use proto::data::{Hostlist, IdSet, Rset};
use proto::overlay::{Health, Status, Topology, Tree};
use proto::resource::{self, DrainInfo, SchedStatusReply, StatusReply};
use proto::{Errno, Refusal, attr};
use serde::Serialize;

use crate::limits::SICK_BROKERS_MAX;
use crate::serve::{ApiError, Site};

/// All brokers.
#[derive(Debug, Serialize)]
pub struct Nodes {
    tree: Tree,
    /// By rank.
    nodes: Vec<Node>,
}

/// One broker and its node.
#[derive(Debug, Serialize)]
pub struct Node {
    rank: u32,
    host: String,
    /// `online`, `offline`, `lost` or `torpid`.
    state: &'static str,
    /// Status of the broker and all below it.
    subtree: Status,
    /// Reason of the loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Time and reason of the drain.
    #[serde(skip_serializing_if = "Option::is_none")]
    drain: Option<DrainInfo>,
    /// It is never used.
    excluded: bool,
    cores: u64,
    cores_allocated: u64,
    gpus: u64,
    gpus_allocated: u64,
}

/// Answers.
pub async fn get(State(site): State<Arc<Site>>) -> Result<Json<Nodes>, ApiError> {
    let on_root = Call::new(&Topology { rank: 0 }).to(0);
    let tree = site.instance.call(on_root).await?;
    let health = health(&site, &tree).await?;
    let resources = unless_absent(site.instance.call(Call::new(&resource::Status).to(0)).await)?;
    let used = unless_absent(
        site.instance
            .call(Call::new(&resource::SchedStatus).to(0))
            .await,
    )?;
    let hosts = attr::Get {
        name: HOSTLIST.name.to_owned(),
    };
    let hosts: Hostlist = match unless_absent(site.instance.rpc(&hosts).await)? {
        Some(hosts) => hosts.value.parse().unwrap_or_default(),
        None => Hostlist::default(),
    };
    let drains = resources.iter().flat_map(|status| &status.drain);
    let drains = drains.filter_map(|(ids, drain)| Some((ids.parse().ok()?, drain.clone())));
    let drains = drains.collect();
    let seen = Seen {
        health,
        resources,
        drains,
        used,
        hosts,
    };
    Ok(Json(Nodes {
        nodes: (0..tree.size).map(|rank| seen.node(rank)).collect(),
        tree,
    }))
}

/// Status of a broker, as its parent has it.
struct Condition {
    status: Status,
    error: Option<String>,
}

/// Status of the brokers. One whose subtree is complete is not asked: all below it are online.
async fn health(site: &Site, tree: &Tree) -> Result<BTreeMap<u32, Condition>, ApiError> {
    let mut found = BTreeMap::new();
    let mut to_ask = vec![tree.rank];
    let mut asked = 0;
    while let Some(rank) = to_ask.pop() {
        asked += 1;
        if asked > SICK_BROKERS_MAX {
            break;
        }
        let reply = match site.instance.call(Call::new(&Health).to(rank)).await {
            Ok(reply) => reply,
            // It has been lost just now.
            Err(_) if rank != tree.rank => continue,
            Err(refusal) => return Err(refusal.into()),
        };
        found.entry(rank).or_insert(Condition {
            status: reply.status,
            error: None,
        });
        for child in reply.children {
            if child.status.is_online() && child.status != Status::Full {
                to_ask.push(child.rank);
            }
            found.insert(
                child.rank,
                Condition {
                    status: child.status,
                    error: child.error,
                },
            );
        }
    }
    Ok(found)
}

fn unless_absent<T>(answer: Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(refusal) if refusal.errno == Errno::ENOSYS => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// Data of several services on the brokers.
struct Seen {
    health: BTreeMap<u32, Condition>,
    resources: Option<StatusReply>,
    drains: Vec<(IdSet, DrainInfo)>,
    used: Option<SchedStatusReply>,
    hosts: Hostlist,
}

impl Seen {
    fn node(&self, rank: u32) -> Node {
        let resources = self.resources.as_ref();
        let is_in = |set: fn(&StatusReply) -> &IdSet| {
            resources.is_some_and(|resources| set(resources).contains(rank))
        };
        let condition = self.health.get(&rank);
        let is_offline = is_in(|status| &status.offline);
        // Below a broker that is well all are, and below one that is lost none is known.
        let subtree = condition.map_or(
            if is_offline {
                Status::Offline
            } else {
                Status::Full
            },
            |condition| condition.status,
        );
        let state = match subtree {
            Status::Lost => "lost",
            Status::Offline | Status::Unknown => "offline",
            _ if is_offline => "offline",
            _ if is_in(|status| &status.torpid) => "torpid",
            _ => "online",
        };
        let all = resources.and_then(|resources| resources.r.node(rank));
        let used = self.used.as_ref().map(|used| &used.allocated);
        let used = used.and_then(|used: &Rset| used.node(rank));
        let drain = self.drains.iter().find(|(ids, _)| ids.contains(rank));
        let host = self.hosts.get(rank as usize);
        let host = host.or_else(|| all.map(|node| node.host.as_ref()));
        Node {
            rank,
            host: host.unwrap_or_default().to_owned(),
            state,
            subtree,
            error: condition.and_then(|condition| condition.error.clone()),
            drain: drain.map(|(_, drain)| drain.clone()),
            excluded: is_in(|status| &status.exclude),
            cores: all.map_or(0, |node| node.cores.count()),
            cores_allocated: used.map_or(0, |node| node.cores.count()),
            gpus: all.map_or(0, |node| node.gpus.count()),
            gpus_allocated: used.map_or(0, |node| node.gpus.count()),
        }
    }
}
