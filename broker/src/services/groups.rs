//! groups.*: sets of ranks that brokers join, of an instance that has one broker (protocol/03
//! section 12).

use std::collections::BTreeMap;

use node::{Cx, Peer, Routes, Stream, StreamId};
use proto::data::IdSet;
use proto::groups::{Get, GetError, Join, Leave, MemberError, Members, ONLINE, Stats, StatsGet};
use proto::{Coded as _, Empty, Never, Role};
use wire::Identity;

use crate::core::Broker;
use crate::limits::GROUPS_MAX;

/// The groups that this broker is in, and who follows which.
#[derive(Debug)]
pub struct Groups {
    /// Who had the broker join each; `None` for the broker itself.
    joined: BTreeMap<String, Option<Identity>>,
    followers: BTreeMap<StreamId, (String, Stream<Get>)>,
}

impl Default for Groups {
    fn default() -> Groups {
        Groups {
            joined: BTreeMap::from([(ONLINE.to_owned(), None)]),
            followers: BTreeMap::new(),
        }
    }
}

impl Groups {
    /// Lets go of a stream that was taken back.
    pub fn closed(&mut self, stream: StreamId) {
        if let Some((_, stream)) = self.followers.remove(&stream) {
            stream.forget();
        }
    }
}

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .on::<Join>(join)
        .on::<Leave>(leave)
        .stream::<Get>(get)
        .on::<StatsGet>(stats_get)
}

fn join(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    request: Join,
) -> Result<Empty, MemberError> {
    let (name, rank) = (request.name, core.router.rank());
    if !from.rolemask.meets(Role::LOCAL) {
        return Err(MemberError::NotLocal("join"));
    }
    if core.groups.joined.contains_key(&name) {
        return Err(MemberError::Joined(rank, name));
    }
    if core.groups.joined.len() >= GROUPS_MAX {
        return Err(MemberError::TooMany);
    }
    core.groups.joined.insert(name.clone(), from.sender.clone());
    core.tell_followers(cx, &name);
    Ok(Empty)
}

fn leave(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    request: Leave,
) -> Result<Empty, MemberError> {
    let (name, rank) = (request.name, core.router.rank());
    if !from.rolemask.meets(Role::LOCAL) {
        return Err(MemberError::NotLocal("leave"));
    }
    if core.groups.joined.remove(&name).is_none() {
        return Err(MemberError::NotJoined(rank, name));
    }
    core.tell_followers(cx, &name);
    Ok(Empty)
}

fn get(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, request: Get, mut stream: Stream<Get>) {
    if core.router.rank() != 0 {
        return stream.end(cx, Err(GetError::NotRankZero.refusal()));
    }
    stream.send(cx, &core.members(&request.name));
    if stream.is_streaming() {
        let id = stream.id();
        core.groups.followers.insert(id, (request.name, stream));
    }
}

fn stats_get(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, _: StatsGet) -> Result<Stats, Never> {
    let names = core.groups.joined.keys();
    let subtree = names.map(|name| (name.clone(), core.members(name).members));
    Ok(Stats {
        subtree: subtree.collect(),
    })
}

impl Broker {
    fn members(&self, name: &str) -> Members {
        let is_in = self.groups.joined.contains_key(name);
        let members = is_in.then(|| IdSet::from(self.router.rank()));
        Members {
            members: members.unwrap_or_default(),
        }
    }

    fn tell_followers(&mut self, cx: &mut Cx<Broker>, name: &str) {
        let members = self.members(name);
        for (followed, stream) in self.groups.followers.values_mut() {
            if followed == name {
                stream.send(cx, &members);
            }
        }
    }

    /// A client that had us join groups has left: so do we.
    pub(crate) fn leave_groups_of(&mut self, cx: &mut Cx<Broker>, gone: &Peer) {
        if gone.sender.is_none() {
            return;
        }
        let theirs = |_: &String, joined: &mut Option<Identity>| *joined == gone.sender;
        let left: Vec<String> = self
            .groups
            .joined
            .extract_if(.., theirs)
            .map(|(name, _)| name)
            .collect();
        for name in left {
            self.tell_followers(cx, &name);
        }
    }
}
