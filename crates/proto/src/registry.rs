//! The list of all services, which the documentation and the goldens walk.

use crate::{Declared, DeclaredEvent};

/// One service: its name and its methods.
#[derive(Clone, Copy)]
pub struct Service {
    /// The word before the first dot of its topics.
    pub name: &'static str,
    /// Methods.
    pub methods: &'static [Declared],
}

/// All services, by name. A new service file adds its line here.
const SERVICES: &[(&str, &[Declared])] = &[
    ("attr", crate::attr::METHODS),
    ("broker", crate::broker::METHODS),
    ("config", crate::config::METHODS),
    ("connector-local", crate::connector_local::METHODS),
    ("content", crate::content::METHODS),
    ("content-backing", crate::content_backing::METHODS),
    ("content-files", crate::content_files::METHODS),
    ("content-sqlite", crate::content_sqlite::METHODS),
    ("cron", crate::cron::METHODS),
    ("event", crate::event::METHODS),
    ("feasibility", crate::feasibility::METHODS),
    ("groups", crate::groups::METHODS),
    ("heartbeat", crate::heartbeat::METHODS),
    ("job-exec", crate::job_exec::METHODS),
    ("job-info", crate::job_info::METHODS),
    ("job-ingest", crate::job_ingest::METHODS),
    ("job-list", crate::job_list::METHODS),
    ("job-manager", crate::job_manager::METHODS),
    ("job-policy", crate::job_policy::METHODS),
    ("kvs", crate::kvs::METHODS),
    ("kvs-watch", crate::kvs_watch::METHODS),
    ("log", crate::log::METHODS),
    ("module", crate::module::METHODS),
    ("module (every one)", crate::common::METHODS),
    ("orphans", crate::orphans::METHODS),
    ("overlay", crate::overlay::METHODS),
    ("resource", crate::resource::METHODS),
    ("rexec", crate::rexec::METHODS),
    ("runat", crate::runat::METHODS),
    ("sched", crate::sched::METHODS),
    ("service", crate::service::METHODS),
    ("shell", crate::job_shell::METHODS),
    ("shutdown", crate::shutdown::METHODS),
    ("start", crate::start::METHODS),
    ("state-machine", crate::state_machine::METHODS),
    ("terminus", crate::terminus::METHODS),
    ("web", crate::web::METHODS),
    ("worker", crate::worker::METHODS),
];

/// The events of every service that publishes some. A new service file with events adds
/// its line here.
const EVENTS: &[&[DeclaredEvent]] = &[
    crate::common::EVENTS,
    crate::heartbeat::EVENTS,
    crate::job_exec::EVENTS,
    crate::job_manager::EVENTS,
    crate::kvs::EVENTS,
];

/// Every event that a component of ours publishes or acts on.
pub fn events() -> impl Iterator<Item = &'static DeclaredEvent> {
    EVENTS.iter().copied().flatten()
}

/// All services, by name.
pub fn services() -> Vec<Service> {
    let rows = SERVICES.iter();
    let mut services: Vec<Service> = rows
        .map(|&(name, methods)| Service { name, methods })
        .collect();
    services.sort_by_key(|service| service.name);
    services
}

/// The declaration of `topic`, if it is one of ours.
pub fn method(topic: &str) -> Option<Declared> {
    services()
        .iter()
        .flat_map(|service| service.methods)
        .find(|m| m.topic == topic)
        .copied()
}
