//! Every component's routes against the declarations in `proto`, both ways, and the fate
//! of a request or an event of one who may not send it.

use std::collections::BTreeMap;

use node::probe::Probe;
use node::{Host, Module, Routes};
use proto::{Declared, DeclaredEvent, Role, name_in};
use wire::Flags;

/// Methods of one component, by topic, and the events it handles.
struct Component {
    roles: BTreeMap<&'static str, Role>,
    events: Vec<&'static str>,
}

fn component<C: Host>(routes: Routes<C>) -> Component {
    Component {
        roles: routes.roles().collect(),
        events: routes.event_topics().collect(),
    }
}

fn components() -> Vec<Component> {
    vec![
        component(broker::routes()),
        component(content::Content::routes()),
        component(cron::Cron::routes()),
        component(heartbeat::Heartbeat::routes()),
        component(job_exec::JobExec::routes()),
        component(job_info::JobInfo::routes()),
        component(job_ingest::JobIngest::routes()),
        component(job_list::JobList::routes()),
        component(job_manager::JobManager::routes()),
        component(job_shell::JobShell::routes()),
        component(kvs::Kvs::routes()),
        component(kvs_watch::KvsWatch::routes()),
        component(resource::Resource::routes()),
        component(sched_simple::SchedSimple::routes()),
    ]
}

fn methods() -> Vec<Declared> {
    let services = proto::services();
    services
        .iter()
        .flat_map(|service| service.methods)
        .copied()
        .collect()
}

/// Role declared for a topic, even that of every module.
fn declared_role(topic: &str) -> Option<Role> {
    let methods = methods();
    if methods.iter().any(|method| method.cancel == Some(topic)) {
        return Some(Role::ALL);
    }
    let own = methods.iter().find(|method| method.topic == topic);
    let common = || {
        methods
            .iter()
            .find(|method| name_in(method.topic, topic).is_some())
    };
    own.or_else(common).map(|method| method.role)
}

#[test]
fn every_route_is_declared_with_its_role() {
    for component in components() {
        for (topic, role) in component.roles {
            assert_eq!(declared_role(topic), Some(role), "{topic}");
        }
        for topic in component.events {
            assert!(proto::events().any(|event| event.topic == topic), "{topic}");
        }
    }
}

#[test]
fn every_declared_method_is_answered_by_one_component() {
    let components = components();
    for method in methods() {
        let of_all = method.topic.starts_with("NAME.");
        let providers = components.iter();
        let n = providers
            .filter(|c| c.roles.contains_key(method.topic))
            .count();
        // Its server is the program that starts the brokers, or a module of a site's own; or the
        // servers of terminals and the web page, which are told in their own tests.
        let outside = ["start.", "job-policy.", "worker.", "terminus.", "web."];
        let is_outside = outside.iter().any(|own| method.topic.starts_with(own));
        let expect = usize::from(!is_outside);
        assert!(of_all || n == expect, "{} is answered by {n}", method.topic);
        if let Some(cancel) = method.cancel {
            assert!(
                components.iter().any(|c| c.roles.contains_key(cancel)),
                "{cancel}"
            );
        }
    }
}

/// A request or an event that `role` may not send.
fn is_forbidden(declared: Role, role: Role) -> bool {
    !role.meets(declared | Role::OWNER)
}

/// The example of a request, as it is in the goldens of `proto`.
fn example(topic: &str) -> String {
    let path = format!(
        "{}/../proto/goldens/{topic}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let golden = std::fs::read_to_string(path).expect("every method has an example");
    let golden: serde_json::Value = serde_json::from_str(&golden).expect("it is JSON");
    match &golden["request"] {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(raw) => raw.clone(),
        request => request.to_string(),
    }
}

/// Sends a module everything that guests and nobodies may not send.
fn check_module<M: Module>(mut probe: Probe<M>) {
    probe.said();
    let routes = M::routes();
    let own: Vec<Declared> = methods();
    let own = own
        .iter()
        .filter(|method| routes.topics().any(|topic| topic == method.topic));
    for method in own {
        for role in [
            Role::NONE,
            Role::LOCAL,
            Role::USER,
            Role::USER | Role::ADMIN,
        ] {
            if is_forbidden(method.role, role) {
                let topic = method.topic;
                probe.request_as(topic, &example(topic), 200, role, Flags::STREAMING);
                let said = probe.said();
                let refused = format!("response {topic} #");
                let is_refusal =
                    |line: &String| line.starts_with(&refused) && line.contains(" EPERM ");
                assert!(
                    said.len() == 1 && said.iter().all(is_refusal),
                    "{topic}: {said:?}"
                );
            }
        }
    }
    for event in proto::events().filter(|event| is_forbidden(event.role, Role::USER)) {
        probe.event_as(
            &topic_of(event),
            r#"{"id":1,"jobs":[1],"signum":9}"#,
            200,
            Role::USER,
        );
        probe.settle();
        assert_eq!(probe.said(), [""; 0], "{} after {}", M::NAME, event.topic);
    }
}

fn topic_of(event: &DeclaredEvent) -> String {
    event.topic.replace("NAME", "primary").replace("ID", "1")
}

#[test]
fn who_may_not_is_refused_and_not_heard() {
    fn start<M: Module>(worker: M::Worker) -> Probe<M> {
        Probe::start(worker, &[], "{}").expect("it starts without arguments")
    }
    check_module(start::<cron::Cron>(cron::Cron::utc()));
    check_module(start::<heartbeat::Heartbeat>(()));
    check_module(start::<job_info::JobInfo>(()));
    check_module(start::<job_ingest::JobIngest>(job_ingest::names_of));
    check_module(start::<job_list::JobList>(()));
    check_module(start::<job_manager::JobManager>(Box::new(ahead::NoLog)));
    check_module(start::<kvs::Kvs>(()));
    check_module(start::<kvs_watch::KvsWatch>(()));
    check_module(start::<sched_simple::SchedSimple>(()));
    check_module(start::<sched_simple::SchedBackfill>(()));
}
