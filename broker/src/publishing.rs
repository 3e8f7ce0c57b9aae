//! Who may publish what. What components of ours listen to, only the owner says; a guest
//! has the topics that nobody owns, and those under its own user id.

use proto::Method;
use proto::event::Publish;
use wire::{Message, Role, topic};

use crate::core::Broker;

impl Broker {
    /// Whether the one whose credential an event carries may publish it.
    pub(crate) fn may_publish(&self, event: &Message) -> bool {
        let (topic, sender) = (event.topic(), event.rolemask);
        if sender.meets(Role::OWNER) {
            return true;
        }
        let mut declared = proto::events().filter(|declared| declared.is_of(topic));
        sender.meets(Publish::ROLE)
            && declared.all(|declared| sender.meets(declared.role))
            && self.is_free_for(topic, event.userid)
    }

    /// Whether no service has this topic but maybe one of the user.
    fn is_free_for(&self, topic: &str, userid: u32) -> bool {
        let service = topic::service_of(topic);
        match user_of(service) {
            Some(owner) => owner == userid,
            None => {
                let is_declared = proto::services().iter().any(|known| known.name == service);
                !is_declared && !self.services.contains_key(service)
            }
        }
    }
}

/// Whose service it is by its name: `UID-NAME` is a user's.
pub(crate) fn user_of(service: &str) -> Option<u32> {
    let first = service.split_once('-').map_or(service, |(first, _)| first);
    first.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proto::Object;
    use wire::{Message, Role};

    use crate::attrs::Attrs;
    use crate::core::{Broker, Provider, Setup};
    use crate::modules::ModuleId;

    fn broker() -> Broker {
        let mut broker = Broker::new(Setup {
            attrs: Attrs::default(),
            config: Object::default(),
            env: BTreeMap::new(),
            owner: 100,
            ids: crate::Ids::from_seed(1),
            endpoint: String::new(),
            program: Vec::new(),
            cleanup_folders: String::new(),
        });
        let theirs = Provider::Module(ModuleId(1));
        broker.services.insert("site-tool".to_owned(), theirs);
        broker
    }

    fn check(topic: &str, userid: u32, rolemask: Role, expect: bool) {
        let mut event = Message::event(topic);
        (event.userid, event.rolemask) = (userid, rolemask);
        let may = broker().may_publish(&event);
        assert_eq!(may, expect, "{topic} by {userid} as {rolemask:?}");
    }

    #[test]
    fn a_guest_publishes_what_nobody_listens_to_and_what_is_its_own() {
        for topic in ["guests.event", "job", "7-tool.ready", "7-tool", "7", "kv"] {
            check(topic, 7, Role::USER, true);
        }
        for topic in ["7-tool.ready", "7-tool", "7"] {
            check(topic, 8, Role::USER, false);
        }
    }

    #[test]
    fn what_is_declared_or_of_a_service_is_the_owners() {
        let of_services = ["kvs", "kvs.x", "broker.x", "job-list.x", "site-tool.x"];
        let declared =
            proto::events().map(|event| event.topic.replace("NAME", "x").replace("ID", "3"));
        let declared: Vec<String> = declared.collect();
        for topic in declared.iter().map(String::as_str).chain(of_services) {
            check(topic, 7, Role::USER | Role::LOCAL | Role::ADMIN, false);
            check(topic, 7, Role::OWNER, true);
        }
    }

    #[test]
    fn who_is_nobody_publishes_nothing() {
        check("guests.event", 7, Role::NONE, false);
        check("guests.event", 7, Role::LOCAL, false);
    }
}
