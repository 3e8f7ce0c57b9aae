use super::*;

/// Plays commands on queues, and shows the resulting states. `conf` configures queues,
/// each with `<PARENT` if it has one; `-` stands for the anonymous queue and for no
/// reason.
fn check(commands: &[&str], expect: &[&str]) {
    let mut queues = Queues::default();
    let mut kept = Vec::new();
    for command in commands {
        play(&mut queues, &mut kept, command);
    }
    let shown: Vec<String> = queues.all().map(|id| show(&queues, id)).collect();
    assert_eq!(shown, expect, "{commands:?}");
}

fn play(queues: &mut Queues, kept: &mut Vec<CheckpointQueue>, command: &str) {
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    let (name, reason) = rest.split_once(' ').unwrap_or((rest, "-"));
    let reason = (reason != "-").then(|| reason.to_owned());
    let id = |queues: &Queues| {
        let name = (name != "-").then_some(name);
        queues.find(name).expect("a queue that is there")
    };
    match verb {
        "conf" => drop(queues.configure(settings(rest))),
        "enable" => queues.set_enable(id(queues), true, reason),
        "disable" => queues.set_enable(id(queues), false, reason),
        "start" => queues.set_start(id(queues), true, reason, true),
        "stop" => queues.set_start(id(queues), false, reason, true),
        "stop-for-now" => queues.set_start(id(queues), false, reason, false),
        "save" => *kept = queues.checkpoint(),
        "restart" | "restart-stopped" => {
            *queues = Queues::default();
            queues.configure(settings(rest));
            queues.restore(kept, verb == "restart-stopped");
        }
        other => panic!("no such command: {other}"),
    }
}

fn settings(words: &str) -> config::Queues {
    let words = words.split_whitespace().map(|word| {
        let (name, parent) = word.split_once('<').unwrap_or((word, ""));
        let queue = config::QueueConf {
            parent: (!parent.is_empty()).then(|| parent.to_owned()),
            ..config::QueueConf::default()
        };
        (name.to_owned(), queue)
    });
    config::Queues {
        named: words.collect(),
        ..config::Queues::default()
    }
}

fn show(queues: &Queues, id: QueueId) -> String {
    let state = queues.state(id, true).expect("it is there");
    assert_eq!(state.start, queues.runs(id));
    let mut shown = format!(
        "{}: {}{}",
        queues.name(id).unwrap_or("-"),
        if state.enable { "enabled" } else { "disabled" },
        if state.start { " started" } else { " stopped" }
    );
    for (name, text) in [
        ("", &state.disable_reason),
        ("", &state.stop_reason),
        ("blocked by ", &state.blocked),
        ("part of ", &state.parent),
    ] {
        if let Some(text) = text {
            shown.push_str(&format!(", {name}{text}"));
        }
    }
    shown
}

#[test]
fn the_anonymous_queue_runs_at_first_and_named_ones_do_not() {
    check(&[], &["-: enabled started"]);
    check(&["conf a b"], &["a: enabled stopped", "b: enabled stopped"]);
}

#[test]
fn reasons_last_as_long_as_what_they_are_for() {
    check(&["stop - x"], &["-: enabled stopped, x"]);
    check(&["stop - x", "stop -"], &["-: enabled stopped"]);
    check(&["stop - x", "start -"], &["-: enabled started"]);
    check(&["disable - x"], &["-: disabled started, x"]);
    check(&["disable - x", "enable -"], &["-: enabled started"]);
    check(&["disable - x", "stop - y"], &["-: disabled stopped, x, y"]);
}

#[test]
fn a_change_of_the_configuration_keeps_what_was_said_of_queues_that_stay() {
    check(
        &["conf a b", "start a", "disable b x", "conf b a c"],
        &[
            "a: enabled started",
            "b: disabled stopped, x",
            "c: enabled stopped",
        ],
    );
    // One that goes is forgotten, and so is the anonymous one.
    check(
        &["conf a b", "start a", "conf b", "conf a b"],
        &["a: enabled stopped", "b: enabled stopped"],
    );
    check(&["stop - x", "conf a", "conf"], &["-: enabled started"]);
}

#[test]
fn a_part_of_a_queue_runs_when_both_are_started() {
    let stopped =
        "part: enabled stopped, parent queue 'whole' is stopped, blocked by parent, part of whole";
    check(
        &["conf whole part<whole", "start part"],
        &[stopped, "whole: enabled stopped"],
    );
    check(
        &["conf whole part<whole", "start part", "start whole"],
        &[
            "part: enabled started, part of whole",
            "whole: enabled started",
        ],
    );
    check(
        &["conf whole part<whole", "start whole", "stop part x"],
        &[
            "part: enabled stopped, x, part of whole",
            "whole: enabled started",
        ],
    );
    // Its parent is read again.
    check(
        &["conf whole part<whole", "start part", "conf whole part"],
        &["part: enabled started", "whole: enabled stopped"],
    );
}

#[test]
fn a_checkpoint_keeps_what_is_to_be_kept() {
    check(
        &["conf a b", "start a", "disable b x", "save", "restart a b"],
        &["a: enabled started", "b: disabled stopped, x"],
    );
    check(
        &["stop-for-now - x", "save", "restart"],
        &["-: enabled started"],
    );
    check(
        &["stop - x", "stop-for-now -", "save", "restart"],
        &["-: enabled stopped, x"],
    );
    check(
        &["stop-for-now - x", "start -", "save", "restart"],
        &["-: enabled started"],
    );
    // Names that are not configured say nothing, and those without an entry are new.
    check(
        &["conf a b", "start a", "start b", "save", "restart b c"],
        &["b: enabled started", "c: enabled stopped"],
    );
    check(&["stop - x", "save", "restart a"], &["a: enabled stopped"]);
    check(
        &["conf a", "start a", "save", "restart"],
        &["-: enabled started"],
    );
}

#[test]
fn queues_may_be_stopped_by_a_restart() {
    check(
        &[
            "conf a b c",
            "start a",
            "stop b x",
            "disable c y",
            "save",
            "restart-stopped a b c d",
        ],
        &[
            "a: enabled stopped, Automatically stopped due to restart",
            "b: enabled stopped, x",
            "c: disabled stopped, y",
            "d: enabled stopped",
        ],
    );
    check(
        &["save", "restart-stopped"],
        &["-: enabled stopped, Automatically stopped due to restart"],
    );
}

#[test]
fn without_a_scheduler_started_queues_are_blocked() {
    let mut queues = Queues::default();
    let state = queues.state(QueueId::ANONYMOUS, false).unwrap();
    assert!(!state.start);
    assert_eq!(state.stop_reason.as_deref(), Some("Scheduler is offline"));
    assert_eq!(state.blocked.as_deref(), Some("scheduler"));
    queues.set_start(QueueId::ANONYMOUS, false, None, true);
    let state = queues.state(QueueId::ANONYMOUS, false).unwrap();
    assert_eq!((state.start, state.blocked), (false, None));
}

#[test]
fn names_are_refused_in_words() {
    let check = |conf: &str, name: Option<&str>, all: bool, one: &str, many: &str| {
        let mut queues = Queues::default();
        queues.configure(settings(conf));
        let text = |result: Result<(), QueueError>| match result {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(text(queues.find(name).map(drop)), one, "{conf} {name:?}");
        assert_eq!(
            text(queues.meant(name, all).map(drop)),
            many,
            "{conf} {name:?}"
        );
    };
    let use_all = "Use --all to apply this command to all queues";
    check("", None, false, "ok", "ok");
    check(
        "",
        Some("a"),
        true,
        "'a' is not a valid queue",
        "'a' is not a valid queue",
    );
    check("a", Some("a"), false, "ok", "ok");
    check("a", Some("a"), true, "ok", "ok");
    check(
        "a",
        Some("b"),
        true,
        "'b' is not a valid queue",
        "'b' is not a valid queue",
    );
    check("a", None, false, "a named queue is required", use_all);
    check("a", None, true, "a named queue is required", "ok");
}

#[test]
fn jobs_are_not_taken_with_the_reason() {
    let mut queues = Queues::default();
    assert_eq!(queues.admits(QueueId::ANONYMOUS), Ok(()));
    queues.set_enable(QueueId::ANONYMOUS, false, Some("x".to_owned()));
    let refused = queues.admits(QueueId::ANONYMOUS).unwrap_err();
    assert_eq!(refused, "job submission is disabled: x");
    queues.configure(settings("a"));
    let a = queues.find(Some("a")).unwrap();
    queues.set_enable(a, false, Some("x".to_owned()));
    let refused = queues.admits(a).unwrap_err();
    assert_eq!(refused, "job submission to a is disabled: x");
}
