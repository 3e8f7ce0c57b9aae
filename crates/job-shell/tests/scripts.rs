//! Tests of Lua files of sites and users: their effects on the tasks of a job, and the messages
//! about failures. Each function of the files is covered by the tests of the crate `initrc`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps says what it expects"
)]

mod stage;

use std::io::Write as _;

use node::ChildEvent;
use serde_json::{Value, json};
use stage::{Play, Stage};
use tempfile::NamedTempFile;

/// A file with this text.
fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// A job of two tasks, with these options and a script in place of the system's.
fn play(script: &NamedTempFile, options: Value) -> Play {
    let mut options = options;
    options["initrc"] = script.path().to_string_lossy().into();
    Play {
        ntasks: 2,
        options,
        ..Play::default()
    }
}

fn said(level: u32, text: &str) -> String {
    format!(r#"log {{"level":{level},"message":"{text}","rank":0}}"#)
}

/// The messages of the shell, without the others.
fn messages(stage: &Stage) -> Vec<String> {
    let lines = stage.output();
    let messages = lines.iter().filter_map(|line| line.strip_prefix("log "));
    let messages = messages.map(|log| serde_json::from_str::<Value>(log).unwrap());
    messages
        .map(|log| log["message"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_script_changes_environment_and_options_of_the_job() {
    let text = "
        shell.setenv('FROM', shell.getenv('FLUX_JOB_TMPDIR') ~= nil and 'script' or 'none')
        shell.unsetenv('PATH')
        shell.options.pmi = 'off'
        shell.options['mpibind'] = nil
        shell.log(shell.options.own)";
    let script = file(text);
    let options = json!({"own": "value", "mpibind": "on", "other": 1});
    let mut stage = Stage::running(play(&script, options));
    assert_eq!(stage.env(0, "FROM"), Some("script".to_owned()));
    assert_eq!(stage.env(1, "PATH"), None);
    assert_eq!(stage.env(0, "PMI_RANK"), None);
    let name = "OMPI_MCA_btl_vader_backing_directory";
    assert_eq!(stage.env(0, name), stage.env(0, "FLUX_JOB_TMPDIR"));
    stage.ends(0, 0);
    stage.ends(1, 0);
    let unknown = "option other is unknown and was not used";
    assert_eq!(messages(&stage), ["value", unknown]);
    let path = script.path().display();
    let line = format!(r#""rank":0,"file":"{path}","line":6"#);
    assert!(stage.output()[0].contains(&line), "{}", stage.output()[0]);
}

#[test]
fn a_script_that_fails_ends_the_job() {
    let script = file("\nshell.info = 1");
    let path = script.path().display();
    let mut stage = Stage::start(play(&script, json!({})));
    let fatal = format!("loading rc file {path}");
    assert_eq!(
        stage.notify_job(),
        [format!("raise {fatal}"), "exit 1".to_owned()]
    );
    let why = format!("{path}:2: attempt to set read-only field shell.info");
    assert_eq!(stage.output()[..2], [said(3, &why), said(0, &fatal)]);
}

#[test]
fn a_script_that_is_not_there_ends_the_job() {
    let play = |option: &str| Play {
        options: json!({ option: "/none.lua" }),
        ..Play::default()
    };
    let mut stage = Stage::start(play("initrc"));
    let fatal = "loading rc file /none.lua: No such file or directory";
    assert_eq!(stage.notify_job(), [&format!("raise {fatal}"), "exit 1"]);
    let mut stage = Stage::start(play("userrc"));
    let fatal = "loading rc file built-in initrc.lua";
    assert_eq!(stage.notify_job(), [&format!("raise {fatal}"), "exit 1"]);
    let lines = [
        said(3, "source /none.lua: No such file or directory"),
        said(3, "built-in initrc.lua:6: source /none.lua failed"),
        said(0, fatal),
    ];
    assert_eq!(stage.output()[..3], lines);
}

#[test]
fn options_that_make_no_sense_are_told_when_no_script_has_changed_them() {
    let bad = || json!({"exit-timeout": "aaa"});
    let script = file("shell.options['exit-timeout'] = '5s'");
    let stage = Stage::running(play(&script, bad()));
    assert_eq!(stage.spawned.len(), 2);
    let script = file("shell.log('first')");
    let mut stage = Stage::start(play(&script, bad()));
    let text = "exit-timeout is not a valid Flux Standard Duration";
    assert_eq!(
        stage.notify_job(),
        [&format!("raise shell_init: {text}"), "exit 1"]
    );
    let plugin = "plugin 'task-exit': shell.init failed";
    assert_eq!(
        messages(&stage),
        ["first", text, plugin, &format!("shell_init: {text}")]
    );
}

/// Every topic logs that it was called.
const TELL: &str = "plugin.register{name='t', handlers={{topic='*', fn=function(topic)
    local text = topic
    if topic:match('^task') then
        local i = task.info
        text = text .. ' ' .. i.rank .. i.state .. tostring(i.pid) .. tostring(i.exitcode)
    end
    shell.log(text)
end}}}";

#[test]
fn handlers_hear_of_everything_in_its_order() {
    let script = file(TELL);
    let mut stage = Stage::running(play(&script, json!({})));
    stage.ends(1, 9);
    stage.ends(0, 256);
    let expect = [
        "shell.init",
        "shell.post-init",
        "task.init 0Initnilnil",
        "task.exec 0Execnilnil",
        "task.init 1Initnilnil",
        "task.exec 1Execnilnil",
        "task.fork 0Running100nil",
        "task.fork 1Running101nil",
        "shell.start",
        "task.exit 1Exited101137",
        "task.exit 0Exited1001",
        "shell.tasks-complete",
        "shell.finish",
        "shell.exit",
    ];
    assert_eq!(messages(&stage), expect);
}

/// A job whose handler of `topic` fails.
fn failing(topic: &str) -> NamedTempFile {
    let handler = format!("{{topic='{topic}', fn=function() return false end}}");
    file(&format!(
        "plugin.register{{name='bad', handlers={{{handler}}}}}"
    ))
}

#[test]
fn the_failure_of_a_topic_means_what_the_table_says() {
    let ends = |topic: &str, fatal: &str| {
        let script = failing(topic);
        let mut stage = Stage::start(play(&script, json!({})));
        let mut seen = stage.notify_job();
        if topic == "task.fork" {
            seen = stage.child(0, ChildEvent::Started { pid: 100 });
        }
        let raised = format!("raise {fatal}");
        assert!(seen.contains(&raised), "{topic}: {seen:?}");
    };
    ends("shell.init", "shell_init");
    ends("shell.post-init", "shell_post_init");
    ends("task.init", "failed to initialize taskid=0");
    ends("task.fork", "shell_task_forked");
    let goes_on = |topic: &str, code: u32, expect: &[&str]| {
        let script = failing(topic);
        let mut stage = Stage::running(play(&script, json!({})));
        stage.ends(0, 0);
        let exit = format!("exit {code}");
        assert_eq!(stage.ends(1, 0), [exit], "{topic}");
        assert_eq!(messages(&stage), expect, "{topic}");
    };
    goes_on("task.exec", 0, &[]);
    let failed = [
        "plugin 'bad': task.exit failed",
        "task.exit plugin(s) failed",
    ];
    goes_on("task.exit", 0, &[failed, failed].concat());
    let failed = [
        "plugin 'bad': shell.exit failed",
        "shell_exit callback(s) failed",
    ];
    goes_on("shell.exit", 1, &failed);
}

#[test]
fn the_failure_of_the_start_ends_the_job() {
    let script = failing("shell.start");
    let stage = Stage::running(play(&script, json!({})));
    let fatal = "shell.start callback(s) failed";
    assert_eq!(
        messages(&stage),
        ["plugin 'bad': shell.start failed", fatal]
    );
}

#[test]
fn a_handler_changes_the_environment_of_its_task_alone() {
    let text = "plugin.register{handlers={{topic='task.init', fn=function()
        task.setenv('OWN', task.info.rank * 2) task.unsetenv('PATH') end}}}";
    let stage = Stage::running(play(&file(text), json!({})));
    assert_eq!(stage.env(0, "OWN"), Some("0".to_owned()));
    assert_eq!(stage.env(1, "OWN"), Some("2".to_owned()));
    assert_eq!(stage.env(1, "PATH"), None);
    assert_eq!(stage.env(1, "FLUX_TASK_RANK"), Some("1".to_owned()));
}

#[test]
fn a_handler_spreads_tasks_by_a_scheme_of_its_own() {
    let text = "plugin.register{name='swap', handlers={{topic='taskmap.swap', fn=function(_, args)
        shell.log(args.taskmap.map[1][4] .. args.value) return '[[0,1,1,2]]' end}}}";
    let taskmap = json!({"taskmap": {"scheme": "swap", "value": "v"}});
    let mut stage = Stage::running(play(&file(text), taskmap.clone()));
    stage.pass(0.1);
    let map = r#"shell.start {"taskmap":{"version":1,"map":[[0,1,1,2]]}}"#;
    assert_eq!(stage.log("exec.eventlog").pop().unwrap(), map);
    let script = failing("taskmap.swap");
    let mut stage = Stage::start(play(&script, taskmap));
    assert_eq!(stage.notify_job(), ["raise shell_taskmap", "exit 1"]);
}

#[test]
fn a_handler_knows_a_tag_of_templates() {
    let text = "plugin.register{handlers={{topic='mustache.render.site.*', fn=function(topic)
        return topic:match('[^.]*$') end}}}";
    let stage = Stage::running(Play {
        command: vec!["prog", "{{site.a}}-{{site.b}}-{{other}}-{{taskid}}"],
        ..play(&file(text), json!({}))
    });
    assert_eq!(stage.spawned[1].1.argv[1], "a-b-{{other}}-1");
}

#[test]
fn a_handler_hears_what_the_shell_says_but_not_itself() {
    let text = "plugin.register{handlers={{topic='shell.log', fn=function(_, log)
        shell.log('heard ' .. log.message) end}}}";
    let mut stage = Stage::running(play(&file(text), json!({"other": 1})));
    stage.ends(0, 0);
    stage.ends(1, 0);
    let said = "option other is unknown and was not used";
    assert_eq!(messages(&stage), [&format!("heard {said}"), said]);
}

#[test]
fn a_plug_in_of_the_name_task_exit_takes_its_place() {
    let text = "plugin.register{name='task-exit', handlers={{topic='none', fn=print}}}";
    let options = json!({"exit-on-error": 1, "exit-timeout": "1s"});
    let mut stage = Stage::running(play(&file(text), options));
    assert_eq!(stage.ends(0, 256), [""; 0]);
    assert_eq!(stage.pass(10.0), [""; 0]);
    assert_eq!(stage.ends(1, 0), ["exit 1"]);
    let log = stage.log("exec.eventlog");
    assert!(
        !log.iter().any(|line| line.starts_with("shell.task-exit")),
        "{log:?}"
    );
}

#[test]
fn a_script_ends_the_job_in_its_own_words() {
    let text = "plugin.register{handlers={{topic='task.exit', fn=function()
        shell.die('enough') end}}}";
    let mut stage = Stage::running(play(&file(text), json!({})));
    let seen = stage.ends(0, 0);
    assert!(seen.contains(&"raise enough".to_owned()), "{seen:?}");
}

#[test]
fn how_much_the_shell_says_can_be_set() {
    let script = file("shell.debug 'a' shell.verbose = true shell.debug 'b'");
    let mut stage = Stage::running(play(&script, json!({})));
    stage.ends(0, 0);
    stage.ends(1, 0);
    let said = messages(&stage);
    assert_eq!(said[0], "b");
    assert!(
        said.contains(&"task 0 complete status=0".to_owned()),
        "{said:?}"
    );
}

#[test]
fn spectrum_has_a_personality() {
    let play = Play {
        options: json!({"mpi": "spectrum@10"}),
        environment: json!({"PMIX_X": "1", "OMPI_Y": "2", "LD_LIBRARY_PATH": "/lib"}),
        ..Play::default()
    };
    let stage = Stage::running(play);
    assert_eq!(stage.env(0, "PMIX_X").or(stage.env(0, "OMPI_Y")), None);
    assert_eq!(stage.env(0, "OMPI_MCA_pml"), Some("yalla".to_owned()));
    assert_eq!(stage.env(0, "OMPI_COMM_WORLD_RANK"), Some("0".to_owned()));
    let path = "/opt/ibm/spectrum_mpi/lib:/lib".to_owned();
    assert_eq!(stage.env(0, "LD_LIBRARY_PATH"), Some(path));
    let stack = ("stack".to_owned(), 10 << 20);
    assert_eq!(stage.spawned[0].1.rlimits, [stack]);
}
