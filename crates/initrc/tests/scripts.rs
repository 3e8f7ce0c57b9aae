//! Scripts and their results: their messages, and their changes of options and environment.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps says what it expects"
)]

use std::collections::BTreeMap;

use initrc::{Called, Disk, Effect, Engine, Facts, LogLine, Script, Start, Task};
use serde_json::{Map, Value, json};

/// Files by path.
struct Shelf(BTreeMap<String, String>);

impl Disk for Shelf {
    fn glob(&self, pattern: &str) -> Vec<String> {
        let files = self.0.keys();
        let depth = |path: &str| path.matches('/').count();
        let files = files.filter(|file| depth(file) == depth(pattern));
        let files = files.filter(|file| wire::topic::glob_matches(pattern, file));
        files.cloned().collect()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let text = self.0.get(path).map(|text| text.clone().into_bytes());
        text.ok_or("No such file or directory".to_owned())
    }
}

fn facts() -> Facts {
    let node = |id: u64| {
        json!({"id": id, "name": format!("host{id}"), "broker_rank": id, "ntasks": 2,
            "taskids": "0-1", "resources": {"ncores": 2, "cores": "0-1", "gpus": ""}})
    };
    Facts {
        info: json!({"jobid": 1234, "rank": 0, "size": 2, "ntasks": 4, "instance_owner": 100,
            "service": "100-shell-fNH", "jobspec": {"version": 1}, "R": {"version": 1}}),
        ranks: vec![node(0), node(1)],
        rank: 0,
    }
}

/// Effects of a script so far.
struct Play {
    engine: Engine,
    lines: Vec<String>,
}

fn told(effect: Effect) -> Option<String> {
    match effect {
        // Each script is begun with these.
        Effect::Say(LogLine {
            level: 6 | 7,
            at: None,
            ..
        }) => None,
        Effect::Say(said) => {
            let at = said.at.map(|(file, line)| format!("[{file}:{line}] "));
            Some(format!(
                "{} {}{}",
                said.level,
                at.unwrap_or_default(),
                said.message
            ))
        }
        Effect::Verbose(level) => Some(format!("verbose {level}")),
    }
}

impl Play {
    /// Runs `text` as `rc.lua` beside these files, in a job with these options.
    fn run(text: &str, files: &[(&str, &str)], options: Value) -> Play {
        let script = Script {
            name: "rc.lua".to_owned(),
            text: text.into(),
            folder: "/rc".to_owned(),
            rcpath: vec!["/rc/lua.d".to_owned(), "/more".to_owned()],
        };
        let files = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let env = [
            ("PATH", "/bin"),
            ("HOME", "/home/me"),
            ("OMPI_X", "1"),
            ("PMIX_Y", "2"),
        ];
        let env = env
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let start = Start {
            facts: facts(),
            options: options.as_object().unwrap().clone(),
            env: env.collect(),
            verbose: 0,
            searchpath: "/plugins".to_owned(),
            disk: Box::new(Shelf(files.collect())),
        };
        let mut engine = Engine::new(start, &script).unwrap();
        let ended = engine.load(&script);
        let mut play = Play {
            engine,
            lines: Vec::new(),
        };
        play.take();
        if let Err(last) = ended {
            play.lines.extend(told(Effect::Say(last)));
        }
        play
    }

    fn take(&mut self) {
        let effects = self.engine.take_effects();
        self.lines.extend(effects.into_iter().filter_map(told));
    }

    fn call(&mut self, topic: &str, args: Value) -> Called {
        let called = self.engine.call(topic, &args, None);
        self.take();
        called
    }

    fn options(&self) -> Map<String, Value> {
        self.engine.options()
    }
}

/// A script as `rc.lua` says these lines.
fn check(text: &str, expect: &[&str]) {
    assert_eq!(Play::run(text, &[], json!({})).lines, expect, "{text}");
}

/// A file `f.lua` that is sourced fails with this text, and the job with it.
fn check_error(text: &str, expect: &str) {
    let lines = Play::run("\nsource('f.lua')", &[("f.lua", text)], json!({})).lines;
    let failed = "3 rc.lua:2: source f.lua failed";
    assert_eq!(
        lines,
        [&format!("3 {expect}"), failed, "0 loading rc file rc.lua"],
        "{text}"
    );
}

#[test]
fn a_script_says_where_it_speaks() {
    check(
        "shell.log('a')\nshell.log_error(7)",
        &["5 [rc.lua:1] a", "3 [rc.lua:2] 7"],
    );
    check("shell.debug 'x'", &["6 [rc.lua:1] x"]);
    check("\nshell.die('enough')", &["0 [rc.lua:2] enough"]);
    check(
        "while true do pcall(shell.die, 'enough') end",
        &["0 enough"],
    );
    check(
        "shell.verbose = true shell.verbose = 2 shell.verbose = 0",
        &["verbose 1", "verbose 2", "verbose 0"],
    );
}

#[test]
fn mistakes_are_told_in_the_words_of_the_reference() {
    let field = |name: &str| format!("shell.{name} = 1");
    for name in [
        "info",
        "getenv",
        "setenv",
        "unsetenv",
        "rankinfo",
        "get_rankinfo",
    ] {
        let text = format!("f.lua:1: attempt to set read-only field shell.{name}");
        check_error(&field(name), &text);
    }
    check_error(
        "shell.verbose = 'x'",
        "f.lua:1: invalid assignment to shell.verbose",
    );
    check_error("plugin.foo()", "f.lua:1: invalid plugin method foo called");
    check_error(
        "plugin.load 'nope.so'",
        "f.lua:1: plugin.load: nope.so: File not found",
    );
    check_error("plugin.load(1)", "f.lua:1: plugin.load: invalid argument");
    check_error("plugin.load{}", "f.lua:1: plugin.load: invalid argument");
    check_error(
        "return task.info",
        "f.lua:1: attempt to access task outside of task context",
    );
    check_error(
        "plugin.register{}",
        "f.lua:1: required handlers table missing",
    );
    check_error(
        "plugin.register(1)",
        "f.lua:1: plugin.create requires table argument",
    );
    let entries = "plugin.register: handlers table exists but has no entries. (not an array?)";
    check_error(
        "plugin.register{handlers={a=1}}",
        &format!("f.lua:1: {entries}"),
    );
    let topic = "f.lua:1: Missing or invalid 'topic' in handler entry";
    check_error("plugin.register{handlers={{fn=print}}}", topic);
    let f = "f.lua:1: Missing or invalid 'fn' in handler entry";
    check_error("plugin.register{handlers={{topic='*'}}}", f);
    check_error("\n= 2", "f.lua: f.lua:2: unexpected symbol near '='");
    check_error("error('mine')", "f.lua:1: mine");
    let own = "error(setmetatable({}, {__tostring = function() return 'own' end}))";
    check_error(own, "own");
}

#[test]
fn a_file_that_is_not_there_is_told_and_a_pattern_is_not() {
    let missing = [
        "3 source no.lua: No such file or directory",
        "3 rc.lua:1: source no.lua failed",
        "0 loading rc file rc.lua",
    ];
    check("source 'no.lua'", &missing);
    check(
        "source '*.so' source_if_exists 'no.lua' source_if_exists '*.so'",
        &[],
    );
    let files = [
        ("a/1.lua", "shell.log(1)"),
        ("a/2.lua", "shell.log(2)"),
        ("b.lua", "source 'a/?.lua'"),
    ];
    let play = Play::run("source 'b.lua'", &files, json!({}));
    assert_eq!(play.lines, ["5 [a/1.lua:1] 1", "5 [a/2.lua:1] 2"]);
    let lines = Play::run("source 'f.lua'", &[("f.lua", "source 'f.lua'")], json!({})).lines;
    assert_eq!(lines[0], "3 f.lua: too many files source each other");
}

#[test]
fn folders_are_searched_in_turn() {
    let files = [
        ("/rc/lua.d/a.lua", "shell.log 'a'"),
        ("/more/b.lua", "shell.log 'b'"),
        ("/more/mpi/foo.lua", "shell.log 'foo'"),
        ("/rc/lua.d/mpi/foo@7.lua", "shell.log 'foo 7'"),
    ];
    let text =
        "shell.source_rcpath('*.lua') shell.source_rcpath_option('mpi') shell.log(shell.rcpath)";
    let run = |mpi: Value| Play::run(text, &files, json!({ "mpi": mpi })).lines;
    let all = ["5 [/rc/lua.d/a.lua:1] a", "5 [/more/b.lua:1] b"];
    let foo = "5 [/more/mpi/foo.lua:1] foo";
    let end = "5 [rc.lua:1] /rc";
    assert_eq!(run(Value::Null), [all[0], all[1], end]);
    assert_eq!(run(json!("none")), [all[0], all[1], end]);
    assert_eq!(run(json!("bar@7")), [all[0], all[1], end]);
    assert_eq!(run(json!("foo")), [all[0], all[1], foo, end]);
    let seven = "5 [/rc/lua.d/mpi/foo@7.lua:1] foo 7";
    assert_eq!(run(json!("foo@7")), [all[0], all[1], foo, seven, end]);
}

#[test]
fn options_are_read_and_set_whole() {
    let text = "
        local o = shell.options
        shell.log(tostring(o.none) .. o.verbose .. o.a.b[2])
        o.a, o.verbose = nil, nil
        o.list, o.table, o.empty = {1, 2.0, 2.5}, {x = {y = true}}, {}
        o.table.lost = 1
        for k in pairs(shell.options) do shell.log(k) end";
    let play = Play::run(text, &[], json!({"verbose": 1, "a": {"b": [1, "x"]}}));
    assert_eq!(play.lines[0], "5 [rc.lua:3] nil1x");
    assert_eq!(play.lines.len(), 4);
    let expect = json!({"list": [1, 2, 2.5], "table": {"x": {"y": true}}, "empty": {}});
    assert_eq!(Value::Object(play.options()), expect);
    assert!(play.engine.knows_option("none") && !play.engine.knows_option("other"));
    let deep = "local t = {} t.t = t shell.options.x = t";
    check_error(
        deep,
        "f.lua:1: shell.options.x: tables are nested deeper than 64",
    );
    check_error(
        "shell.options.x = print",
        "f.lua:1: shell.options.x: a function is not JSON",
    );
}

#[test]
fn the_environment_of_the_job_can_be_changed() {
    let text = "
        assert(shell.setenv('A', 1) == true)
        shell.setenv('PATH', 'no', false) shell.setenv('PATH', 'no', 0)
        shell.unsetenv 'HOME'
        shell.prepend_path('PATH', '/a') shell.prepend_path('PATH', '/bin') shell.prepend_path('NEW', '/n')
        shell.env_strip('^OMPI_', '^PMIX_')
        shell.log(tostring(shell.getenv 'HOME') .. shell.getenv().A)";
    let play = Play::run(text, &[], json!({}));
    assert_eq!(play.lines, ["5 [rc.lua:7] nil1"]);
    let env = play.engine.env();
    let env: Vec<String> = env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(env, ["A=1", "NEW=/n", "PATH=/a:/bin"]);
    check_error(
        "shell.setenv('A=B', 1)",
        "f.lua:1: shell.setenv: Invalid argument",
    );
    check_error(
        "shell.setenv('A')",
        "f.lua:1: shell.setenv: invalid argument",
    );
}

#[test]
fn the_shell_and_its_job_can_be_read() {
    let text = "
        local i, r = shell.info, shell.get_rankinfo(1)
        shell.log(i.jobid .. i.service .. i.size .. i.options.verbose .. i.jobspec.version)
        shell.log(shell.rankinfo.name .. r.name .. r.resources.ncores .. tostring(shell.get_rankinfo(2)))";
    let expect = [
        "5 [rc.lua:3] 1234100-shell-fNH201",
        "5 [rc.lua:4] host0host12nil",
    ];
    check(text, &expect);
    check(
        "shell.log(tostring(require('flux.shell') == shell))",
        &["5 [rc.lua:1] true"],
    );
}

#[test]
fn names_of_an_older_lua_are_there_and_dangers_are_not() {
    check(
        "shell.log(table.getn{unpack{1, 2}} + table.maxn{1} + math.pow(2, 3))",
        &["5 [rc.lua:1] 11"],
    );
    check("shell.log(loadstring('return 7')())", &["5 [rc.lua:1] 7"]);
    let binary = "attempt to load a binary chunk (mode is 't')";
    check(
        "shell.log(select(2, load(string.dump(function () end))))",
        &[&format!("5 [rc.lua:1] {binary}")],
    );
    check_error("os.exit(1)", "f.lua:1: os.exit: use shell.die");
    check("shell.log(tostring(debug))", &["5 [rc.lua:1] nil"]);
}

#[test]
fn plug_ins_in_c_are_refused() {
    let files = [("/plugins/x.so", "")];
    let run = |text: &str| Play::run(text, &files, json!({})).lines;
    let why =
        "3 rc.lua:1: plugin.load: /plugins/x.so: C plug-ins are not supported in this version";
    let fatal = "0 loading rc file rc.lua";
    assert_eq!(run("plugin.load('*.so')"), [why, fatal]);
    assert_eq!(run("plugin.load{file='x.so', conf={a=1}}"), [why, fatal]);
    assert_eq!(
        run("plugin.load('y*.so') shell.log(plugin.searchpath)"),
        ["5 [rc.lua:1] /plugins"]
    );
    assert_eq!(
        run("plugin.searchpath = '/a:/b' plugin.load('*.so')"),
        [""; 0]
    );
}

#[test]
fn the_result_of_a_handler_says_whether_it_has_failed() {
    let text = "
        local function p(name, f) plugin.register{name=name, handlers={{topic='shell.*', fn=f}}} end
        p('good', function() end)
        p('true', function() return true end)
        p('false', function() return false end)
        p('nil', function() return nil end)
        p('error', function(topic) error(topic) end)
        p('good', function() shell.log 'again' end)";
    let mut play = Play::run(text, &[], json!({}));
    assert!(play.engine.handles("shell.init") && !play.engine.handles("task.init"));
    let called = play.call("shell.init", Value::Null);
    assert_eq!(called.failed, ["false", "nil", "error"]);
    assert_eq!(
        play.lines,
        [
            "3 lua plugin error: rc.lua:7: shell.init",
            "5 [rc.lua:8] again"
        ]
    );
    assert_eq!(play.call("task.init", Value::Null), Called::default());
}

#[test]
fn the_first_handler_that_matches_is_called_with_its_arguments() {
    let text = "
        plugin.register{handlers={
            {topic='taskmap.x', fn=function(topic, args) return args.scheme .. args.value end},
            {topic='*', fn=function(topic) shell.log(topic) end}}}";
    let mut play = Play::run(text, &[], json!({}));
    let called = play.call("taskmap.x", json!({"scheme": "x", "value": "1"}));
    assert_eq!(called.result, Some(json!("x1")));
    play.call("shell.exit", Value::Null);
    assert_eq!(play.lines, ["5 [rc.lua:4] shell.exit"]);
}

#[test]
fn a_plug_in_takes_the_place_of_a_part_of_the_shell() {
    let register = |name: &str| {
        format!("plugin.register{{name='{name}', handlers={{{{topic='*', fn=print}}}}}}")
    };
    let play = Play::run(&register("task-exit"), &[], json!({}));
    assert_eq!(play.lines, [""; 0]);
    assert!(play.engine.replaces("task-exit") && !play.engine.replaces("pty"));
    let why = "f.lua:1: plugin.register: output is part of the shell and cannot be replaced";
    check_error(&register("output"), why);
}

#[test]
fn a_plug_in_without_a_name_has_that_of_its_file() {
    let text = "plugin.register{handlers={{topic='*', fn=function() return false end}}}";
    let mut play = Play::run("source '/a/my.lua'", &[("/a/my.lua", text)], json!({}));
    assert_eq!(play.call("shell.init", Value::Null).failed, ["my.lua"]);
}

#[test]
fn a_handler_of_a_task_sees_it_and_changes_its_environment() {
    let text = "
        plugin.register{name='t', handlers={{topic='task.*', fn=function()
            shell.log(task.info.rank .. task.info.state .. task.getenv('A') .. tostring(task.getenv().B))
            task.setenv('A', 2) task.unsetenv('B') task.setenv('A', 3, false)
        end}}}";
    let mut play = Play::run(text, &[], json!({}));
    let mut task = Task {
        info: json!({"localid": 0, "rank": 5, "state": "Init"}),
        env: [("A", "1"), ("B", "b")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    let called = play.engine.call("task.init", &Value::Null, Some(&mut task));
    assert_eq!(called, Called::default());
    play.take();
    assert_eq!(play.lines, ["5 [rc.lua:3] 5Init1b"]);
    assert_eq!(task.env, [("A".to_owned(), "2".to_owned())].into());
    assert_eq!(play.call("task.exit", Value::Null).failed, ["t"]);
}

#[test]
fn a_coprocess_is_wanted_only_if_its_option_is_set() {
    let text = "coprocess.define{name='mon', command={'mon', '-x'}, ranks='0'}";
    let options = |options: Value| Value::Object(Play::run(text, &[], options).options());
    assert_eq!(options(json!({})), json!({}));
    let defined = json!({"mon": 1, "coprocess": {"mon": {"command": ["mon", "-x"], "ranks": "0"}}});
    assert_eq!(options(json!({"mon": 1})), defined);
    let over = json!({"mon": {"ranks": "all", "output": "f"}});
    let defined = json!({"command": ["mon", "-x"], "output": "f", "ranks": "all"});
    assert_eq!(options(over)["coprocess"]["mon"], defined);
}

#[test]
fn a_script_without_an_end_is_ended_and_it_is_told() {
    let why = |what: &str, n: u64| format!("{what} ran for more than {n} instructions");
    for text in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    ] {
        let why = format!("3 {}", why("rc.lua and its files", 50_000_000));
        check(text, &[&why, "0 loading rc file rc.lua"]);
    }
    let text = "
        plugin.register{name='p', handlers={{topic='shell.init', fn=function() while true do end end}}}
        plugin.register{name='q', handlers={{topic='shell.start', fn=function() shell.log 'q' end}}}";
    let mut play = Play::run(text, &[], json!({}));
    assert_eq!(play.call("shell.init", Value::Null).failed, ["p"]);
    assert_eq!(
        play.lines,
        [format!("3 {}", why("handlers of shell.init", 20_000_000))]
    );
    // The others go on.
    assert_eq!(play.call("shell.start", Value::Null), Called::default());
    assert_eq!(play.lines.pop().unwrap(), "5 [rc.lua:3] q");
}

#[test]
fn memory_and_lines_have_a_limit() {
    let lines = Play::run(
        "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
        &[],
        json!({}),
    )
    .lines;
    assert!(lines[0].contains("not enough memory"), "{lines:?}");
    assert_eq!(lines[1], "0 loading rc file rc.lua");
    let lines = Play::run("for i = 1, 2000 do shell.log(i) end", &[], json!({})).lines;
    assert_eq!(
        lines.last().unwrap(),
        "4 979 further lines of scripts are not shown"
    );
}
