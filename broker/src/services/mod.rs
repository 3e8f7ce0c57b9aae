//! Services of the broker itself: one file each.

use node::Routes;

use crate::core::Broker;

mod attr;
mod broker;
mod config;
mod connector;
mod event;
pub(crate) mod groups;
mod log;
mod module;
pub(crate) mod module_trace;
mod orphans;
mod overlay;
pub(crate) mod overlay_trace;
mod rexec;
pub(crate) mod runat;
mod service;
pub(crate) mod shutdown;
pub(crate) mod state_machine;
mod trace;

/// Every method of the broker.
pub fn routes() -> Routes<Broker> {
    let routes = Routes::new();
    let routes = attr::routes(routes);
    let routes = broker::routes(routes);
    let routes = config::routes(routes);
    let routes = connector::routes(routes);
    let routes = event::routes(routes);
    let routes = groups::routes(routes);
    let routes = log::routes(routes);
    let routes = module::routes(routes);
    let routes = orphans::routes(routes);
    let routes = overlay::routes(routes);
    let routes = overlay_trace::routes(routes);
    let routes = rexec::routes(routes);
    let routes = runat::routes(routes);
    let routes = service::routes(routes);
    let routes = shutdown::routes(routes);
    state_machine::routes(routes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_declared_method_of_the_broker_has_a_route() {
        let routed: BTreeSet<&str> = super::routes().topics().collect();
        for service in proto::services() {
            if crate::core::OWN_SERVICES.contains(&service.name) {
                for method in service.methods {
                    assert!(
                        routed.contains(method.topic),
                        "{} has no route",
                        method.topic
                    );
                }
            }
        }
    }
}
