//! Routing of messages: clients, their subscriptions and services, and the services to
//! notify when they disconnect.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::{Errno, Method, Payload, event, service};
use wire::{Flags, Identity, Kind, Message, Role};

use crate::limits::{FORWARDED_NOTICES_MAX, FORWARDED_REQUESTS_MAX};

/// A client, by the order in which they came.
pub type Id = u64;

/// Identity of a client.
#[derive(Debug, Clone)]
pub struct Who {
    /// Name on route stacks.
    pub name: Identity,
    /// The user that it speaks as.
    pub userid: u32,
}

/// Destination of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// To the broker.
    Broker,
    /// To a client.
    Client(Id),
}

/// Messages that follow from one.
pub type Sent = Vec<(To, Message)>;

struct Client {
    who: Who,
    /// Requests without their last answer, without payload, by matchtag and first hop.
    open: BTreeMap<(u32, String), Message>,
    /// Messages to send when it disconnects, by topic, node and whether they go upstream.
    notices: BTreeMap<(String, u32, bool), Message>,
    subscriptions: Vec<String>,
}

/// Request to the broker on behalf of a client.
enum Asked {
    Subscribe(String),
    Unsubscribe(String),
    Add(String),
    Remove(String),
}

/// Everything that is known.
#[derive(Default)]
pub struct Table {
    clients: BTreeMap<Id, Client>,
    by_name: BTreeMap<Identity, Id>,
    services: BTreeMap<String, Id>,
    /// Requests of our own, by matchtag: the client, the subject, and the request to
    /// answer.
    asked: BTreeMap<u32, (Id, Asked, Message)>,
    last_tag: u32,
}

/// The only role that the answers of a router carry.
const ROUTER_ROLE: Role = Role(1);

impl Table {
    /// A client has come.
    pub fn connect(&mut self, id: Id, who: Who) {
        self.by_name.insert(who.name.clone(), id);
        let client = Client {
            who,
            open: BTreeMap::new(),
            notices: BTreeMap::new(),
            subscriptions: Vec::new(),
        };
        self.clients.insert(id, client);
    }

    /// A client sends a message.
    pub fn receive_from_client(&mut self, id: Id, message: Message) -> Sent {
        let Some(client) = self.clients.get_mut(&id) else {
            return Vec::new();
        };
        match message.kind {
            Kind::Request { .. } if message.topic().is_empty() => Vec::new(),
            Kind::Request { .. } => match message.topic() {
                event::Subscribe::TOPIC => self.subscribe(id, message, true),
                event::Unsubscribe::TOPIC => self.subscribe(id, message, false),
                service::Add::TOPIC => self.add_service(id, message),
                service::Remove::TOPIC => self.remove_service(id, message),
                _ => client.forward(id, message),
            },
            Kind::Event { .. } | Kind::Response { .. } if !message.topic().is_empty() => {
                let mut message = message;
                client.stamp(&mut message);
                vec![(To::Broker, message)]
            }
            _ => Vec::new(),
        }
    }

    /// The broker sends a message.
    pub fn receive_from_broker(&mut self, mut message: Message) -> Sent {
        match message.kind {
            Kind::Response { errnum, .. } if message.last_route().is_none() => {
                self.answered(message.matchtag(), errnum)
            }
            Kind::Response { .. } => {
                let name = message.pop_route();
                let Some(id) = name.and_then(|name| self.by_name.get(&name).copied()) else {
                    return Vec::new();
                };
                if message.ends_rpc()
                    && let Some(client) = self.clients.get_mut(&id)
                {
                    client.open.remove(&key(&message));
                }
                vec![(To::Client(id), message)]
            }
            Kind::Request { .. } => {
                let service = message.topic().split('.').next().unwrap_or_default();
                match self.services.get(service) {
                    Some(id) => vec![(To::Client(*id), message)],
                    None if message.wants_response() => {
                        let refused = message.into_response(Errno::ENOSYS.0, Bytes::new());
                        vec![(To::Broker, refused)]
                    }
                    None => Vec::new(),
                }
            }
            Kind::Event { .. } => {
                let topic = message.topic().to_owned();
                let hears = |client: &Client| {
                    let mut topics = client.subscriptions.iter();
                    topics.any(|prefix| topic.starts_with(prefix.as_str()))
                };
                let clients = self.clients.iter().filter(|(_, client)| hears(client));
                clients
                    .map(|(id, _)| (To::Client(*id), message.clone()))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// A client has left.
    pub fn disconnect(&mut self, id: Id) -> Sent {
        let Some(client) = self.clients.remove(&id) else {
            return Vec::new();
        };
        self.by_name.remove(&client.who.name);
        let notices = client.notices.into_values();
        let mut sent: Sent = notices.map(|message| (To::Broker, message)).collect();
        let services = self.services.iter().filter(|(_, owner)| **owner == id);
        let services: Vec<String> = services.map(|(name, _)| name.clone()).collect();
        for service in services {
            self.services.remove(&service);
            sent.push(self.own(service::Remove::TOPIC, &service::Remove { service }));
        }
        for topic in client.subscriptions {
            sent.push(self.own(event::Unsubscribe::TOPIC, &event::Unsubscribe { topic }));
        }
        sent
    }

    /// Handles the loss of the broker: open requests to it get an error.
    pub fn broker_lost(&mut self) -> Sent {
        let mut sent = Vec::new();
        for (id, client) in &mut self.clients {
            client.notices.clear();
            for request in std::mem::take(&mut client.open).into_values() {
                let refused = request.into_response(Errno::ECONNRESET.0, Bytes::new());
                sent.push((To::Client(*id), readable(refused)));
            }
        }
        for (id, _, request) in std::mem::take(&mut self.asked).into_values() {
            sent.push((To::Client(id), own_answer(request, Errno::ECONNRESET.0)));
        }
        sent
    }

    /// Requests that set up a new broker connection in place of a lost one.
    pub fn renewal(&mut self) -> Sent {
        let topics = self
            .clients
            .values()
            .flat_map(|client| &client.subscriptions);
        let topics: Vec<String> = topics.cloned().collect();
        let services: Vec<String> = self.services.keys().cloned().collect();
        let mut sent = Vec::new();
        for topic in topics {
            sent.push(self.own(event::Subscribe::TOPIC, &event::Subscribe { topic }));
        }
        for service in services {
            sent.push(self.own(service::Add::TOPIC, &service::Add { service }));
        }
        sent
    }

    /// Subscribes, or no more. The broker counts the subscriptions of a connection, so
    /// that each is passed on to it.
    fn subscribe(&mut self, id: Id, message: Message, on: bool) -> Sent {
        let topic = match event::Subscribe::decode(message.payload()) {
            Ok(event::Subscribe { topic }) => topic,
            Err(_) => return answer(id, message, Errno::EPROTO),
        };
        match on {
            true => self.ask(id, message, Asked::Subscribe(topic)),
            false => self.ask(id, message, Asked::Unsubscribe(topic)),
        }
    }

    fn add_service(&mut self, id: Id, message: Message) -> Sent {
        match service::Add::decode(message.payload()) {
            Err(_) => answer(id, message, Errno::EPROTO),
            Ok(service::Add { service }) if self.services.contains_key(&service) => {
                answer(id, message, Errno::EEXIST)
            }
            Ok(service::Add { service }) => self.ask(id, message, Asked::Add(service)),
        }
    }

    fn remove_service(&mut self, id: Id, message: Message) -> Sent {
        match service::Remove::decode(message.payload()) {
            Err(_) => answer(id, message, Errno::EPROTO),
            Ok(service::Remove { service }) if self.services.get(&service) != Some(&id) => {
                answer(id, message, Errno::ENOENT)
            }
            Ok(service::Remove { service }) => self.ask(id, message, Asked::Remove(service)),
        }
    }

    /// Asks the broker in the name of a client, which is answered when we are.
    fn ask(&mut self, id: Id, message: Message, asked: Asked) -> Sent {
        let Some(client) = self.clients.get(&id) else {
            return Vec::new();
        };
        if self.asked.len() >= FORWARDED_REQUESTS_MAX {
            return answer(id, message, Errno::EAGAIN);
        }
        let mut request = message.clone();
        client.stamp(&mut request);
        let tag = self.next_tag();
        let request = renumbered(request, tag);
        self.asked.insert(tag, (id, asked, message));
        vec![(To::Broker, request)]
    }

    fn answered(&mut self, tag: u32, errnum: u32) -> Sent {
        let Some((id, asked, request)) = self.asked.remove(&tag) else {
            return Vec::new();
        };
        let Some(client) = self.clients.get_mut(&id) else {
            return self.undo(asked, errnum);
        };
        if errnum == 0 {
            match asked {
                Asked::Subscribe(topic) => client.subscriptions.push(topic),
                Asked::Unsubscribe(topic) => {
                    let mut topics = client.subscriptions.iter();
                    if let Some(place) = topics.position(|known| *known == topic) {
                        client.subscriptions.swap_remove(place);
                    }
                }
                Asked::Add(service) => drop(self.services.insert(service, id)),
                Asked::Remove(service) => drop(self.services.remove(&service)),
            }
        }
        match request.wants_response() {
            true => vec![(To::Client(id), own_answer(request, errnum))],
            false => Vec::new(),
        }
    }

    /// Undoes a request of a client that disconnected meanwhile.
    fn undo(&mut self, asked: Asked, errnum: u32) -> Sent {
        match (asked, errnum) {
            (Asked::Subscribe(topic), 0) => {
                vec![self.own(event::Unsubscribe::TOPIC, &event::Unsubscribe { topic })]
            }
            (Asked::Add(service), 0) => {
                vec![self.own(service::Remove::TOPIC, &service::Remove { service })]
            }
            _ => Vec::new(),
        }
    }

    /// A request of our own that wants no answer.
    fn own(&mut self, topic: &str, request: &impl Payload) -> (To, Message) {
        let mut message = Message::request(topic, self.next_tag());
        message.set_payload(request.encode());
        message.set_flag(Flags::NORESPONSE, true);
        (To::Broker, message)
    }

    fn next_tag(&mut self) -> u32 {
        // Tag 0 is that of no answer.
        self.last_tag = self.last_tag.checked_add(1).unwrap_or(1);
        self.last_tag
    }
}

impl Client {
    fn forward(&mut self, id: Id, mut message: Message) -> Sent {
        let is_full = self.open.len() >= FORWARDED_REQUESTS_MAX;
        if is_full && message.wants_response() {
            return answer(id, message, Errno::EAGAIN);
        }
        self.stamp(&mut message);
        if message.wants_response() {
            let mut open = message.clone();
            open.set_payload(Bytes::new());
            self.open.insert(key(&message), open);
        }
        message.push_route(self.who.name.clone());
        if message.wants_response() {
            self.note_service(&message);
        }
        vec![(To::Broker, message)]
    }

    /// Notes the message for the service for the time when the client leaves.
    fn note_service(&mut self, request: &Message) {
        let Kind::Request { nodeid, .. } = request.kind else {
            return;
        };
        let topic = match request.topic().rsplit_once('.') {
            Some((service, _)) => format!("{service}.disconnect"),
            None => "disconnect".to_owned(),
        };
        let key = (topic, nodeid, request.has(Flags::UPSTREAM));
        // One too many leaves something behind at a service, and no more.
        if self.notices.contains_key(&key) || self.notices.len() >= FORWARDED_NOTICES_MAX {
            return;
        }
        let mut message = request.clone();
        message.set_topic(&key.0);
        message.set_payload(Bytes::new());
        message.set_flag(Flags::STREAMING, false);
        message.set_flag(Flags::NORESPONSE, true);
        self.notices.insert(key, message);
    }

    /// The user is said here, and the roles by the broker.
    fn stamp(&self, message: &mut Message) {
        message.userid = self.who.userid;
        message.rolemask = Role::NONE;
    }
}

/// Key of a client's open requests: there may be programs behind it.
fn key(message: &Message) -> (u32, String) {
    let hop = message.first_route().map_or("", Identity::as_str);
    (message.matchtag(), hop.to_owned())
}

fn renumbered(mut message: Message, tag: u32) -> Message {
    if let Kind::Request { nodeid, .. } = message.kind {
        let matchtag = tag;
        message.kind = Kind::Request { nodeid, matchtag };
    }
    message.clear_routes();
    message.enable_routes();
    message.set_flag(Flags::NORESPONSE, false);
    message
}

fn answer(id: Id, request: Message, errno: Errno) -> Sent {
    match request.wants_response() {
        true => vec![(To::Client(id), own_answer(request, errno.0))],
        false => Vec::new(),
    }
}

fn own_answer(request: Message, errnum: u32) -> Message {
    readable(request.into_response(errnum, Bytes::new()))
}

/// Clients take no response without a role.
fn readable(mut response: Message) -> Message {
    response.rolemask = ROUTER_ROLE;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(n: u64) -> Table {
        let mut table = Table::default();
        for id in 0..n {
            let name = Identity::new(&format!("c{id}")).unwrap();
            table.connect(id, Who { name, userid: 7 });
        }
        table
    }

    fn request(topic: &str, tag: u32, payload: &str) -> Message {
        let mut message = Message::request(topic, tag);
        message.set_payload(Bytes::from(format!("{payload}\0")));
        message
    }

    /// Where messages go, in a row.
    fn shown(sent: &Sent) -> String {
        let one = |(to, message): &(To, Message)| {
            let to = match to {
                To::Broker => "broker".to_owned(),
                To::Client(id) => format!("{id}"),
            };
            let hops = message.routes_from_sender().map(Identity::as_str);
            let hops: Vec<&str> = hops.collect();
            let what = match message.kind {
                Kind::Response { errnum, .. } => format!("={errnum}"),
                _ => String::new(),
            };
            let topic = message.topic();
            format!(
                "{to}<{topic}{what} {}/{}",
                message.matchtag(),
                hops.join(",")
            )
        };
        sent.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    fn check(sent: Sent, expect: &str) -> Sent {
        assert_eq!(shown(&sent), expect);
        sent
    }

    /// The broker's answer to the only message sent.
    fn answered(table: &mut Table, sent: Sent, errnum: u32) -> Sent {
        let request = sent.into_iter().next().unwrap().1;
        table.receive_from_broker(request.into_response(errnum, Bytes::new()))
    }

    #[test]
    fn requests_and_their_answers_find_their_way() {
        let mut table = table(2);
        let sent = table.receive_from_client(1, request("kvs.get", 5, "{}"));
        let sent = check(sent, "broker<kvs.get 5/c1");
        assert_eq!((sent[0].1.userid, sent[0].1.rolemask), (7, Role::NONE));
        let back = answered(&mut table, sent, 0);
        check(back, "1<kvs.get=0 5/");
        let mut stray = request("x", 1, "{}");
        stray.push_route(Identity::new("c9").unwrap());
        let stray = table.receive_from_broker(stray.into_response(0, Bytes::new()));
        check(stray, "");
    }

    #[test]
    fn services_are_told_when_a_client_leaves() {
        let mut table = table(1);
        for (topic, tag) in [("a.b.c", 1), ("a.b.d", 2), ("x", 3)] {
            table.receive_from_client(0, request(topic, tag, "{}"));
        }
        let mut quiet = request("y.z", 0, "{}");
        quiet.set_flag(Flags::NORESPONSE, true);
        table.receive_from_client(0, quiet);
        let sent = table.disconnect(0);
        let sent = check(sent, "broker<a.b.disconnect 1/c0; broker<disconnect 3/c0");
        assert!(sent.iter().all(|(_, message)| !message.wants_response()));
        check(table.disconnect(0), "");
    }

    #[test]
    fn events_reach_those_who_are_subscribed() {
        let mut table = table(2);
        let subscribe = |tag| request("event.subscribe", tag, r#"{"topic":"job"}"#);
        let sent = table.receive_from_client(1, subscribe(4));
        let sent = check(sent, "broker<event.subscribe 1/");
        check(table.receive_from_broker(Message::event("job-state")), "");
        let back = answered(&mut table, sent, 0);
        let back = check(back, "1<event.subscribe=0 4/");
        assert_eq!(back[0].1.rolemask, ROUTER_ROLE);
        check(
            table.receive_from_broker(Message::event("job-state")),
            "1<job-state 0/",
        );
        check(table.receive_from_broker(Message::event("heartbeat")), "");
        let bad = table.receive_from_client(1, request("event.subscribe", 5, "{}"));
        check(bad, &format!("1<event.subscribe={} 5/", Errno::EPROTO.0));
        check(table.disconnect(1), "broker<event.unsubscribe 2/");
    }

    #[test]
    fn a_client_may_be_a_service() {
        let mut table = table(2);
        let add = |tag| request("service.add", tag, r#"{"service":"s"}"#);
        let remove = |tag| request("service.remove", tag, r#"{"service":"s"}"#);
        let sent = table.receive_from_client(0, add(1));
        check(answered(&mut table, sent, 0), "0<service.add=0 1/");
        let sent = table.receive_from_client(1, add(2));
        check(sent, &format!("1<service.add={} 2/", Errno::EEXIST.0));
        let sent = table.receive_from_client(1, remove(3));
        check(sent, &format!("1<service.remove={} 3/", Errno::ENOENT.0));
        let mut asked = request("s.x", 9, "{}");
        asked.push_route(Identity::new("far").unwrap());
        let sent = check(table.receive_from_broker(asked), "0<s.x 9/far");
        let response = sent[0].1.clone().into_response(0, Bytes::new());
        check(table.receive_from_client(0, response), "broker<s.x=0 9/far");
        let unknown = table.receive_from_broker(request("t.x", 9, "{}"));
        check(unknown, &format!("broker<t.x={} 9/", Errno::ENOSYS.0));
        check(table.disconnect(0), "broker<service.remove 2/");
    }

    #[test]
    fn what_a_lost_broker_was_asked_is_answered_here() {
        let mut table = table(1);
        table.receive_from_client(0, request("a.b", 3, "{}"));
        let sent = table.receive_from_client(0, request("service.add", 1, r#"{"service":"s"}"#));
        answered(&mut table, sent, 0);
        table.receive_from_client(0, request("event.subscribe", 4, r#"{"topic":""}"#));
        let reset = Errno::ECONNRESET.0;
        check(
            table.broker_lost(),
            &format!("0<a.b={reset} 3/; 0<event.subscribe={reset} 4/"),
        );
        check(table.broker_lost(), "");
        check(table.renewal(), "broker<service.add 3/");
    }
}
