//! After its end nothing is sent on a way back. The end takes the right away, which the
//! compiler checks; violations that it cannot check are reported at once.

use std::collections::BTreeMap;

use proto::schema::JsonSchema;
use proto::{Never, Refusal, Role};
use serde::{Deserialize, Serialize};
use wire::Flags;

use crate::probe::Probe;
use crate::{Closed, Cx, Host, Module, Peer, Routes, Sent, Stream, StreamId};

/// Asks for answers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Follow {}

/// Notifies each follower.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Tell {}

/// Fates of the responses to each.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Told {
    sent: Vec<String>,
}

proto::json_payloads!(Follow, Tell, Told);

proto::methods! {
    Follow = "teller.follow" (USER) => Told, Refusal, Either : "Gives answers.";
    Tell = "teller.tell" (USER) => Told, Never : "Has them given.";
}

#[derive(Default)]
struct Teller {
    streams: BTreeMap<StreamId, Stream<Follow>>,
}

impl Host for Teller {
    const NAME: &'static str = "teller";
    type Worker = ();
}

impl Module for Teller {
    fn routes() -> Routes<Teller> {
        Routes::new().stream::<Follow>(follow).on::<Tell>(tell)
    }

    fn start(_: &mut Cx<Teller>) -> Result<Teller, Refusal> {
        Ok(Teller::default())
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        std::mem::take(&mut self.streams)
            .into_values()
            .for_each(Stream::forget);
    }
}

fn follow(core: &mut Teller, _: &mut Cx<Teller>, _: &Peer, _: Follow, stream: Stream<Follow>) {
    core.streams.insert(stream.id(), stream);
}

fn tell(core: &mut Teller, cx: &mut Cx<Teller>, _: &Peer, _: Tell) -> Result<Told, Never> {
    let told = Told { sent: Vec::new() };
    let streams = core.streams.values_mut();
    let sent = streams.map(|stream| match stream.send(cx, &told) {
        Sent::Yes => "sent".to_owned(),
        Sent::No(Closed::Answered) => "answered".to_owned(),
        Sent::No(Closed::TakenBack) => "taken back".to_owned(),
    });
    Ok(Told {
        sent: sent.collect(),
    })
}

fn told(probe: &mut Probe<Teller>, expect: &[&str]) {
    probe.request("teller.tell", "{}");
    let said = probe.said().pop();
    let sent = serde_json::json!({ "sent": expect });
    assert!(
        said.as_ref()
            .is_some_and(|said| said.ends_with(&sent.to_string())),
        "{said:?}"
    );
}

#[test]
fn a_stream_that_is_over_says_so_to_its_sender() {
    let mut probe = Probe::<Teller>::start((), &[], "{}").unwrap();
    probe.stream("teller.follow", "{}");
    told(&mut probe, &["sent"]);
    told(&mut probe, &["sent"]);
    // Without STREAMING there is one answer.
    probe.request("teller.follow", "{}");
    told(&mut probe, &["sent", "sent"]);
    told(&mut probe, &["sent", "answered"]);
    // This module does not hear of it when a request is taken back.
    let tag = probe.request_as("teller.follow", "{}", 7, Role::USER, Flags::STREAMING);
    let cancel = format!("{{\"matchtag\":{tag}}}");
    probe.request_as("teller.cancel", &cancel, 7, Role::USER, Flags::NORESPONSE);
    let said = probe.said();
    assert_eq!(said, [format!("response teller.follow #{tag} ENODATA")]);
    told(&mut probe, &["sent", "answered", "taken back"]);
}
