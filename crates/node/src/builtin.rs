//! The methods that every component answers without doing anything for it
//! (protocol/03 section 3). A component's own route of the same topic comes first.

use proto::common::{
    AttrTold, Cancel, ConfigReload, Debug, DebugReply, JobTrace, MessageStats, Metrics,
    MetricsReply, Ping, Pong, Rusage, Shutdown, StatsClear, StatsGet,
};
use proto::{Coded, Errno, Event, Method, Payload, Refusal, Role};
use wire::{Message, topic};

use crate::Host;
use crate::cx::Cx;
use crate::peer::Peer;
use crate::routes::{may_publish, not_allowed};

/// Answers `message` if it is for a built-in method, or gives it back.
pub(crate) fn handle<C: Host>(core: &mut C, cx: &mut Cx<C>, message: Message) -> Option<Message> {
    match topic::method_of(message.topic()) {
        "ping" => ping(cx, message),
        "stats-get" => answer::<C, StatsGet>(cx, message, |cx, _| Ok(cx.stats)),
        "stats-clear" => answer::<C, StatsClear>(cx, message, |cx, _| {
            clear(core, cx);
            Ok(proto::Empty)
        }),
        "rusage" => answer::<C, Rusage>(cx, message, |cx, request| {
            let who = request.who.as_deref().unwrap_or("self");
            let known = matches!(who, "self" | "children" | "thread");
            known
                .then(|| (cx.rusage)(who))
                .ok_or_else(|| proto::common::RusageError::UnsupportedWho(who.to_owned()).refusal())
        }),
        "metrics" => answer::<C, Metrics>(cx, message, |cx, _| {
            Ok(MetricsReply {
                messages: cx.stats,
                handlers: cx.spent.told(),
                open: cx.n_tokens() as u64,
                asked: cx.calls.n_pending() as u64,
                usage: (cx.rusage)("self"),
            })
        }),
        "job-trace" => {
            answer::<C, JobTrace>(cx, message, |cx, request| Ok(cx.steps.of_job(request.id)))
        }
        "debug" => answer::<C, Debug>(cx, message, debug),
        "cancel" => cancel(core, cx, message),
        "config-reload" => answer::<C, ConfigReload>(cx, message, |cx, request| {
            core.configure(cx, &request.0)?;
            cx.welcome.conf = request.0;
            Ok(proto::Empty)
        }),
        "attr-told" => answer::<C, AttrTold>(cx, message, |cx, AttrTold { name, value }| {
            match value {
                Some(value) => drop(cx.welcome.attrs.insert(name, value)),
                None => drop(cx.welcome.attrs.remove(&name)),
            }
            Ok(proto::Empty)
        }),
        "shutdown" => answer::<C, Shutdown>(cx, message, |cx, request| {
            cx.asked_to_stop = !request.returns.unwrap_or(false);
            core.stop(cx);
            Ok(proto::Empty)
        }),
        _ => return Some(message),
    }
    None
}

/// The built-in methods that may also be published, for all ranks at once.
pub(crate) fn handle_event<C: Host>(core: &mut C, cx: &mut Cx<C>, message: &Message) {
    let name = proto::name_in(<StatsClear as Event>::TOPIC, message.topic());
    if name == Some(cx.name()) && may_publish(message, <StatsClear as Event>::ROLE) {
        clear(core, cx);
    }
}

/// Takes back a request of the sender, whichever of our services has it.
pub(crate) fn cancel<C: Host>(core: &mut C, cx: &mut Cx<C>, message: Message) {
    let peer = Peer::of(&message, C::HOPS_SINCE_STAMP);
    let service = topic::service_of(message.topic()).to_owned();
    answer::<C, Cancel>(cx, message, |cx, request| {
        if let Some(id) = cx.cancel(&peer, &service, request.matchtag) {
            core.closed(cx, id);
        }
        Ok(proto::Empty)
    });
}

fn clear<C: Host>(core: &mut C, cx: &mut Cx<C>) {
    cx.stats = MessageStats::default();
    cx.spent.clear();
    core.clear_stats();
}

fn ping<C: Host>(cx: &mut Cx<C>, message: Message) {
    let mut route: Vec<&str> = message.routes_from_sender().map(|r| r.short()).collect();
    let own: String = cx.uuid().chars().take(8).collect();
    route.push(&own);
    let route = route.join("!");
    let (peer, rank) = (Peer::of(&message, C::HOPS_SINCE_STAMP), cx.rank());
    answer::<C, Ping>(cx, message, |_, request| {
        Ok(Pong {
            route,
            userid: peer.userid,
            rolemask: peer.rolemask.0,
            rank,
            rest: request.0.0,
        })
    });
}

fn debug<C: Host>(cx: &mut Cx<C>, request: Debug) -> Result<DebugReply, Refusal> {
    cx.debug_bits = match request.op.as_str() {
        "setbit" => cx.debug_bits | request.flags,
        "clrbit" => cx.debug_bits & !request.flags,
        "set" => request.flags,
        "clr" => 0,
        _ => return Err(Refusal::bare(Errno::EPROTO)),
    };
    Ok(DebugReply {
        flags: cx.debug_bits,
    })
}

fn answer<C: Host, M: Method>(
    cx: &mut Cx<C>,
    message: Message,
    run: impl FnOnce(&mut Cx<C>, M) -> Result<M::Response, Refusal>,
) {
    let allowed = Role::OWNER | M::ROLE;
    let result = if message.rolemask.meets(allowed) {
        M::decode(message.payload())
            .map_err(|bad| M::bad_payload(&bad))
            .and_then(|request| run(cx, request))
            .map(|response| response.encode())
    } else {
        Err(not_allowed(allowed))
    };
    cx.respond(message, result);
}
