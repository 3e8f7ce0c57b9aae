//! Names of services: who has them, who may take one, and who may publish under them.
//! Only the owner publishes topics that our components listen to; a guest has the topics
//! that nobody owns, and those under its own user id.

use proto::Method;
use proto::event::Publish;
use wire::{Errno, Message, Role, topic};

use super::{Hop, Router};
use crate::limits::{SERVICE_NAME_BYTES_MAX, SERVICES_MAX};

impl Router {
    /// Provider of a service.
    pub fn provider(&self, service: &str) -> Option<Hop> {
        self.services.get(service).copied()
    }

    /// Provider that answers a request. In private mode the services of other users are
    /// not there for a guest: shells of jobs have some.
    pub(super) fn provider_for(&self, request: &Message) -> Option<Hop> {
        let service = topic::service_of(request.topic());
        let is_hidden = self.is_private
            && !request.rolemask.meets(Role::OWNER)
            && user_of(service).is_some_and(|user| user != request.userid);
        self.provider(service).filter(|_| !is_hidden)
    }

    /// The rules for names of services (protocol/02 sections 4 and 5).
    ///
    /// # Errors
    /// EINVAL for an invalid name, EPERM for one that a guest may not use, ENOBUFS when
    /// there are too many.
    pub fn check_service_name(&self, name: &str, userid: u32, rolemask: Role) -> Result<(), Errno> {
        if name.is_empty() || name.len() > SERVICE_NAME_BYTES_MAX || name.contains('.') {
            return Err(Errno::EINVAL);
        }
        if !rolemask.meets(Role::OWNER) && !name.starts_with(&format!("{userid}-")) {
            return Err(Errno::EPERM);
        }
        if self.services.len() >= SERVICES_MAX {
            return Err(Errno::ENOBUFS);
        }
        Ok(())
    }

    /// Gives a free name that was checked to a module or program.
    ///
    /// # Errors
    /// EEXIST if the name is taken, ECONNRESET if the link is unknown.
    pub fn add_service(&mut self, hop: Hop, name: &str) -> Result<(), Errno> {
        if self.services.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let link = self.links.get_mut(&hop).ok_or(Errno::ECONNRESET)?;
        link.services.insert(name.to_owned());
        self.services.insert(name.to_owned(), hop);
        Ok(())
    }

    /// Takes a name back. `false` if it was not registered by this one.
    #[must_use]
    pub fn remove_service(&mut self, hop: Hop, name: &str) -> bool {
        let link = self.links.get_mut(&hop);
        let had = link.is_some_and(|link| link.services.remove(name));
        if had {
            self.services.remove(name);
        }
        had
    }

    /// True if the sender whose credential an event carries may publish it.
    pub fn may_publish(&self, event: &Message) -> bool {
        let (topic, sender) = (event.topic(), event.rolemask);
        if sender.meets(Role::OWNER) {
            return true;
        }
        let mut declared = proto::events().filter(|declared| declared.is_of(topic));
        sender.meets(Publish::ROLE)
            && declared.all(|declared| sender.meets(declared.role))
            && self.is_free_for(topic, event.userid)
    }

    /// True if no service has this topic, except perhaps one of the user.
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

/// Owner of a service by its name: `UID-NAME` is a user's.
fn user_of(service: &str) -> Option<u32> {
    let first = service.split_once('-').map_or(service, |(first, _)| first);
    first.parse().ok()
}

#[cfg(test)]
mod tests {
    use wire::{Message, Role};

    use crate::router::tests::router;
    use crate::router::{Hop, ModuleId};

    fn check(topic: &str, userid: u32, rolemask: Role, expect: bool) {
        let mut router = router(0, 1);
        let module = ModuleId(1);
        router.add_module(module, "site");
        let added = router.add_service(Hop::Module(module), "site-tool");
        assert_eq!(added, Ok(()));
        let mut event = Message::event(topic);
        (event.userid, event.rolemask) = (userid, rolemask);
        let may = router.may_publish(&event);
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
