//! The list of all services, which the documentation and the goldens walk.

use crate::Declared;

/// One service: its name and its methods.
#[derive(Clone, Copy)]
pub struct Service {
    /// The word before the first dot of its topics.
    pub name: &'static str,
    /// Its methods.
    pub methods: &'static [Declared],
}

/// Every service there is, by name. A new service file adds its line here.
pub fn services() -> Vec<Service> {
    let mut services = vec![
        Service {
            name: "module (every one)",
            methods: crate::common::METHODS,
        },
        Service {
            name: "content",
            methods: crate::content::METHODS,
        },
        Service {
            name: "content-backing",
            methods: crate::content_backing::METHODS,
        },
        Service {
            name: "kvs",
            methods: crate::kvs::METHODS,
        },
        Service {
            name: "kvs-watch",
            methods: crate::kvs_watch::METHODS,
        },
        Service {
            name: "job-ingest",
            methods: crate::job_ingest::METHODS,
        },
        Service {
            name: "job-manager",
            methods: crate::job_manager::METHODS,
        },
        Service {
            name: "sched",
            methods: crate::sched::METHODS,
        },
        Service {
            name: "job-exec",
            methods: crate::job_exec::METHODS,
        },
        Service {
            name: "shell",
            methods: crate::job_shell::METHODS,
        },
        Service {
            name: "heartbeat",
            methods: crate::heartbeat::METHODS,
        },
        Service {
            name: "resource",
            methods: crate::resource::METHODS,
        },
        Service {
            name: "feasibility",
            methods: crate::feasibility::METHODS,
        },
        Service {
            name: "job-info",
            methods: crate::job_info::METHODS,
        },
        Service {
            name: "job-list",
            methods: crate::job_list::METHODS,
        },
        Service {
            name: "groups",
            methods: crate::groups::METHODS,
        },
        Service {
            name: "attr",
            methods: crate::attr::METHODS,
        },
        Service {
            name: "broker",
            methods: crate::broker::METHODS,
        },
        Service {
            name: "config",
            methods: crate::config::METHODS,
        },
        Service {
            name: "event",
            methods: crate::event::METHODS,
        },
        Service {
            name: "log",
            methods: crate::log::METHODS,
        },
        Service {
            name: "module",
            methods: crate::module::METHODS,
        },
        Service {
            name: "overlay",
            methods: crate::overlay::METHODS,
        },
        Service {
            name: "runat",
            methods: crate::runat::METHODS,
        },
        Service {
            name: "service",
            methods: crate::service::METHODS,
        },
        Service {
            name: "shutdown",
            methods: crate::shutdown::METHODS,
        },
        Service {
            name: "state-machine",
            methods: crate::state_machine::METHODS,
        },
    ];
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
