//! groups.*: sets of ranks that brokers join (protocol/03 section 12, protocol/21 section
//! 4). Rank 0 knows all members, every other broker those of its subtree.

use node::{Cx, Peer, Routes, Stream};
use proto::data::IdSet;
use proto::groups::{
    Get, GetError, Join, Leave, MemberError, Members, Stats, StatsGet, Update, UpdateError,
};
use proto::{Coded as _, Empty, Never, Role};

use crate::core::Broker;
use crate::router::Hop;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .on::<Join>(join)
        .on::<Leave>(leave)
        .stream::<Get>(get)
        .on::<Update>(update)
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
    if core.groups.has_joined(&name) {
        return Err(MemberError::Joined(rank, name));
    }
    let joined = core.groups.join(&name, rank, from.sender.clone());
    joined.map_err(|_| MemberError::TooMany)?;
    core.notify_followers(cx, &name);
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
    if !core.groups.has_joined(&name) {
        return Err(MemberError::NotJoined(rank, name));
    }
    core.groups.leave(&name, rank);
    core.notify_followers(cx, &name);
    Ok(Empty)
}

fn get(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, request: Get, mut stream: Stream<Get>) {
    if core.router.rank() != 0 {
        return stream.end(cx, Err(GetError::NotRankZero.refusal()));
    }
    let members = core.groups.members(&request.name);
    stream.send(cx, &Members { members });
    if stream.is_streaming() {
        core.followers.add(request.name, stream);
    } else {
        stream.end(cx, Ok(()));
    }
}

/// A child reports its subtree, and no other rank.
fn update(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    request: Update,
) -> Result<Empty, UpdateError> {
    let sender = from.sender.as_ref();
    let sender = sender.and_then(|sender| core.router.party(sender));
    let Some(Hop::Child(child)) = sender else {
        return Err(UpdateError::NotChild);
    };
    let (topology, rank) = (core.router.topology(), core.router.rank());
    let is_below = |below: u32| topology.child_toward(rank, below) == Some(child);
    let mut changes = request.update.values().flatten();
    if changes.any(|change| !change.ranks.iter().all(is_below)) {
        tracing::error!("groups.update: rank {child} reports ranks that are not below it");
        return Err(UpdateError::NotChild);
    }
    for (name, changes) in &request.update {
        for change in changes {
            let changed = core.groups.change(name, &change.ranks, change.set);
            changed.map_err(|_| UpdateError::TooMany)?;
        }
        core.notify_followers(cx, name);
    }
    Ok(Empty)
}

fn stats_get(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, _: StatsGet) -> Result<Stats, Never> {
    let groups = core.groups.iter();
    let subtree = groups.map(|(name, members)| (name.clone(), members.clone()));
    Ok(Stats {
        subtree: subtree.collect(),
    })
}

impl Broker {
    /// A rank joins or leaves a group because of an event on our side.
    pub(crate) fn change_group(&mut self, cx: &mut Cx<Broker>, name: &str, rank: u32, set: bool) {
        if self.groups.change(name, &IdSet::from(rank), set).is_err() {
            tracing::error!("too many groups: no room for group {name}");
        }
        self.notify_followers(cx, name);
    }

    /// Removes a child and all below it from the groups.
    pub(crate) fn leave_all_groups(&mut self, cx: &mut Cx<Broker>, child: u32) {
        let topology = self.router.topology();
        let mut below = vec![child];
        let mut at = 0;
        while let Some(rank) = below.get(at).copied() {
            below.extend(topology.children(rank));
            at += 1;
        }
        let mut ranks = IdSet::new();
        below.into_iter().for_each(|rank| ranks.insert(rank));
        for name in self.groups.lose(&ranks) {
            self.notify_followers(cx, &name);
        }
    }

    /// A program that had us join groups has left: so do we.
    pub(crate) fn leave_groups_of(&mut self, cx: &mut Cx<Broker>, gone: &Peer) {
        let Some(gone) = &gone.sender else {
            return;
        };
        let rank = self.router.rank();
        for name in self.groups.joined_by(gone) {
            self.groups.leave(&name, rank);
            self.notify_followers(cx, &name);
        }
    }

    /// Reports changes to the parent.
    pub(crate) fn send_group_changes(&mut self, cx: &mut Cx<Broker>) {
        if let Some(wait) = self.groups.begins_batch(cx.now().mono) {
            cx.timer(wait, |core: &mut Broker, cx| core.send_batch(cx));
        }
    }

    fn send_batch(&mut self, cx: &mut Cx<Broker>) {
        let update = self.groups.take_changes(cx.now().mono);
        let parent = self.router.topology().parent(self.router.rank());
        if let Some(parent) = parent
            && !update.is_empty()
            && self.router.peer_of(Hop::Parent).is_some()
        {
            cx.notify_with(node::Call::new(&Update { update }).to(parent));
        }
    }

    fn notify_followers(&mut self, cx: &mut Cx<Broker>, name: &str) {
        let members = self.groups.members(name);
        let reply = Members { members };
        self.followers
            .notify_if(cx, &reply, |followed| followed == name);
        if name == proto::groups::ONLINE {
            self.online_changed(cx, &reply.members);
        }
    }
}
