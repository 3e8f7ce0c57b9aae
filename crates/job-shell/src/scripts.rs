//! The scripts of a job (crate `initrc`): they are run once before anything else is made ready, and
//! their handlers are called where the shell comes to a topic (protocol/23 section 5).
//!
//! The files are read and run by the worker, handlers are called in our own loop. A job without
//! scripts comes to none of this.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use initrc::{Called, Effect, Engine, Facts, LogLine, Script, ScriptRequest, Start};
use node::Cx;
use proto::data::stdio::Log;
use proto::data::{IdSet, TaskMap};
use proto::job_shell::service_name;
use serde_json::{Map, Value, json};

use crate::JobShell;
use crate::array::Array;
use crate::disk::Disk;
use crate::environment::{self, Surroundings};
use crate::job::{Job, JobError};
use crate::limits::SCRIPTS_S;
use crate::log::Level;
use crate::mustache::other_tags;
use crate::options::{Failure, Options};
use crate::state::State;
use crate::worker::{Files, Prepared};

/// Result of the worker.
struct Ran {
    engine: Option<Engine>,
    effects: Vec<Effect>,
    end: Option<LogLine>,
}

/// Outcome of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No handler has failed.
    Passed,
    /// One has failed, which is reported.
    Failed,
    /// One has ended the job.
    Died,
}

/// Script settings of a job, and its user's home directory.
pub(crate) fn script_request(job: &Job) -> (ScriptRequest, Disk) {
    let var = |name: &str| job.environment.get(name).and_then(Value::as_str);
    let request = ScriptRequest {
        initrc: job.options.initrc.clone(),
        system: job.attr("conf.shell_initrc").map(str::to_owned),
        rc_path: var("FLUX_SHELL_RC_PATH").unwrap_or_default().to_owned(),
        has_userrc: job.options.has_userrc,
        mpi: job.options.mpi.clone(),
    };
    let home = var("HOME").unwrap_or_default().to_owned();
    (request, Disk { home })
}

fn run(start: Start, script: &Script) -> Ran {
    let mut engine = match Engine::new(start, script) {
        Ok(engine) => engine,
        Err(why) => {
            return Ran {
                engine: None,
                effects: Vec::new(),
                end: Some(LogLine::plain(0, why)),
            };
        }
    };
    let end = engine.load(script).err();
    Ran {
        effects: engine.take_effects(),
        engine: Some(engine),
        end,
    }
}

/// A level by its number.
fn level_of(number: i32) -> Level {
    match number {
        ..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 => Level::Notice,
        6 => Level::Debug,
        7.. => Level::Trace,
    }
}

impl JobShell {
    /// Has the worker run a script, and continues with its result.
    pub(crate) fn run_scripts(&mut self, cx: &mut Cx<Self>, script: Script, prepared: Prepared) {
        let Some(job) = self.job.clone() else {
            return;
        };
        let tags = self.tags(&job, &prepared);
        let around = Surroundings {
            openmpi: false,
            pmi_library: None,
            ..self.surroundings(&job, &tags)
        };
        let (_, disk) = script_request(&job);
        let start = Start {
            facts: facts(&job, None),
            options: job.told.options(),
            env: environment::of_job(&job.environment, &around),
            verbose: job.options.verbose,
            searchpath: job
                .attr("conf.shell_pluginpath")
                .unwrap_or_default()
                .to_owned(),
            disk: Box::new(disk),
        };
        let name = script.name.clone();
        let timer = cx.timer(
            Duration::from_secs(SCRIPTS_S),
            move |core: &mut JobShell, cx| {
                let text = format!("loading rc file {name}: no end after {SCRIPTS_S} seconds");
                core.fatal(cx, 1, &text);
            },
        );
        cx.work(
            move |_: &mut Files| run(start, &script),
            move |core: &mut JobShell, cx, ran| {
                cx.cancel_timer(timer);
                core.ran(cx, ran, prepared);
            },
        );
    }

    fn ran(&mut self, cx: &mut Cx<Self>, ran: Ran, prepared: Prepared) {
        if self.state() != State::Preparing {
            return;
        }
        self.scripts = ran.engine;
        self.heed(cx, ran.effects);
        if let Some(end) = ran.end {
            return self.die(cx, &end);
        }
        match self.adopt(cx) {
            Ok(job) => {
                self.array =
                    (job.options.array.clone()).map(|spec| Array::new(spec, job.is_leader()));
                if job.options.array.is_some() && self.handles("task.init") {
                    let text = "handlers of tasks are not called for elements of an array";
                    self.log(cx, Level::Warn, None, text);
                }
                self.ask_for_tags(cx, &job);
                self.job = Some(Rc::new(job));
                self.look(cx, prepared);
            }
            Err(error) => self.refuse(cx, &error),
        }
    }

    /// The job as the scripts have left it.
    fn adopt(&mut self, cx: &mut Cx<Self>) -> Result<Job, JobError> {
        let (Some(job), Some(engine)) = (self.job.clone(), &self.scripts) else {
            return Err(JobError::Jobspec);
        };
        let env = engine.env().into_iter();
        let env: Map<String, Value> = env.map(|(name, value)| (name, value.into())).collect();
        let mut options = engine.options();
        let scheme = options
            .get("taskmap")
            .and_then(|map| map["scheme"].as_str());
        let topic = scheme.map(|scheme| format!("taskmap.{scheme}"));
        let own = topic.filter(|topic| engine.handles(topic));
        let wanted = own.and_then(|topic| Some((topic, options.shift_remove("taskmap")?)));
        let read = |options, engine: &Engine| {
            let is_known = |name: &str| engine.knows_option(name);
            let is_replaced = |name: &str| engine.replaces(name);
            let read: Result<Options, Failure> =
                job.options.read_again(options, &is_known, &is_replaced);
            read.map_err(JobError::Option)
        };
        let Some((topic, wanted)) = wanted else {
            return job.again(read(options, engine)?, env);
        };
        let plain = job.again(read(options.clone(), engine)?, env.clone())?;
        let map = self.own_taskmap(cx, &plain, &topic, wanted);
        let map = map.map_err(JobError::Option)?;
        options.insert("taskmap".to_owned(), map);
        match &self.scripts {
            Some(engine) => job.again(read(options, engine)?, env),
            None => Err(JobError::Jobspec),
        }
    }

    /// Asks a handler how tasks are spread.
    fn own_taskmap(
        &mut self,
        cx: &mut Cx<Self>,
        job: &Job,
        topic: &str,
        mut args: Value,
    ) -> Result<Value, Failure> {
        let counts: Vec<u32> = job.nodes.iter().map(|node| node.ntasks).collect();
        let block = TaskMap::block(&counts).unwrap_or_default();
        args["taskmap"] = json!(block);
        let (called, outcome) = self.call(cx, topic, &args, None);
        if outcome != Outcome::Passed {
            self.log(cx, Level::Error, None, &format!("{topic} failed"));
            return Err(Failure {
                remarks: Vec::new(),
                component: None,
                fatal: "shell_taskmap".to_owned(),
            });
        }
        Ok(match called.result {
            None => json!({ "scheme": "block" }),
            Some(Value::String(map)) => json!({ "scheme": "manual", "value": map }),
            Some(map) => json!({ "scheme": "manual", "value": map.to_string() }),
        })
    }

    /// Asks handlers for tags in templates that we do not know.
    fn ask_for_tags(&mut self, cx: &mut Cx<Self>, job: &Job) {
        let options = &job.options;
        let templates = options.env_templates.iter().map(|(_, template)| template);
        let paths = [&options.stdout.path, &options.stderr.path]
            .into_iter()
            .flatten();
        let helpers = options.coprocesses.iter();
        let helpers = helpers.filter_map(|helper| helper.output.as_ref());
        let all = job
            .command
            .iter()
            .chain(templates)
            .chain(paths)
            .chain(helpers);
        let names: BTreeSet<&str> = all.flat_map(|template| other_tags(template)).collect();
        for name in names {
            let topic = format!("mustache.render.{name}");
            let (called, _) = self.call(cx, &topic, &Value::Null, None);
            let text = called.result.map(|result| match result {
                Value::String(text) => text,
                other => other.to_string(),
            });
            self.own_tags
                .extend(text.map(|text| (name.to_owned(), text)));
        }
    }

    /// Handlers that ask for it by its name receive the log messages of the shell.
    pub(crate) fn send_log(&mut self, cx: &mut Cx<Self>, log: &Log) {
        if self.scripts.is_some() {
            self.call_named(cx, "shell.log", &json!(log));
        }
    }

    /// Calls handlers whose glob begins as the log's topics do: they do not receive their own
    /// messages.
    fn call_named(&mut self, cx: &mut Cx<Self>, topic: &str, args: &Value) {
        let is_named = |engine: &Engine| engine.names("shell.log") && engine.handles(topic);
        if self.is_logging || !self.scripts.as_ref().is_some_and(is_named) {
            return;
        }
        self.is_logging = true;
        self.call(cx, topic, args, None);
        self.is_logging = false;
    }

    /// Carries out the requests of scripts.
    fn heed(&mut self, cx: &mut Cx<Self>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Verbose(level) => {
                    self.verbose = Some(level);
                    let args = json!({ "dest": "any", "level": level + Level::Notice as i64 });
                    self.call_named(cx, "shell.log-setlevel", &args);
                }
                Effect::Say(said) => {
                    let level = level_of(said.level);
                    self.log_at(cx, level, None, &said.message, said.at);
                }
            }
        }
    }

    /// A script has ended the job, or cannot go on.
    fn die(&mut self, cx: &mut Cx<Self>, end: &LogLine) {
        self.fatal_at(cx, 1, None, &end.message, end.at.clone());
    }

    /// Calls the handlers of a topic, and returns those that have failed.
    pub(crate) fn call(
        &mut self,
        cx: &mut Cx<Self>,
        topic: &str,
        args: &Value,
        task: Option<&mut initrc::Task>,
    ) -> (Called, Outcome) {
        let Some(engine) = &mut self.scripts else {
            return (Called::default(), Outcome::Passed);
        };
        let called = engine.call(topic, args, task);
        let (effects, death) = (engine.take_effects(), engine.take_death());
        self.heed(cx, effects);
        if let Some(death) = death {
            self.die(cx, &death);
            return (called, Outcome::Died);
        }
        for name in &called.failed {
            let text = format!("plugin '{name}': {topic} failed");
            self.log(cx, Level::Error, None, &text);
        }
        let outcome = match called.failed.is_empty() {
            true => Outcome::Passed,
            false => Outcome::Failed,
        };
        (called, outcome)
    }

    /// The same for a topic of which no failure is shown.
    pub(crate) fn call_quietly(
        &mut self,
        cx: &mut Cx<Self>,
        topic: &str,
        task: &mut initrc::Task,
    ) -> Outcome {
        let Some(engine) = &mut self.scripts else {
            return Outcome::Passed;
        };
        engine.call(topic, &Value::Null, Some(task));
        let (effects, death) = (engine.take_effects(), engine.take_death());
        let own = |effect: &Effect| !matches!(effect, Effect::Say(said) if said.at.is_none());
        self.heed(cx, effects.into_iter().filter(own).collect());
        match death {
            Some(death) => {
                self.die(cx, &death);
                Outcome::Died
            }
            None => Outcome::Passed,
        }
    }

    /// The same for a topic without output, and with a failure that ends the job. True if the
    /// shell goes on.
    pub(crate) fn topic(&mut self, cx: &mut Cx<Self>, topic: &str, fatal: &str) -> bool {
        match self.call(cx, topic, &Value::Null, None).1 {
            Outcome::Passed => true,
            Outcome::Died => false,
            Outcome::Failed => {
                self.fatal(cx, 1, fatal);
                false
            }
        }
    }

    /// The same for a topic whose failure is only reported.
    pub(crate) fn announce_topic(&mut self, cx: &mut Cx<Self>, topic: &str, args: &Value) {
        self.call(cx, topic, args, None);
    }

    /// True if there is a handler for a topic.
    pub(crate) fn handles(&self, topic: &str) -> bool {
        let engine = self.scripts.as_ref();
        engine.is_some_and(|engine| engine.handles(topic))
    }

    /// Passes the places of tasks to scripts, once they are known.
    pub(crate) fn notify_scripts(&mut self) {
        if let (Some(job), Some(engine)) = (&self.job, &mut self.scripts) {
            engine.set_facts(facts(job, Some(&self.placement.taskmap)));
        }
    }

    /// The environment of all tasks, if scripts have had it.
    pub(crate) fn env_of_scripts(&self) -> Option<BTreeMap<String, String>> {
        self.scripts.as_ref().map(Engine::env)
    }
}

/// Facts about a job that scripts can read.
fn facts(job: &Job, taskmap: Option<&TaskMap>) -> Facts {
    let owner = job
        .attr("security.owner")
        .and_then(|owner| owner.parse::<u32>().ok());
    let info = json!({
        "jobid": job.id.get(),
        "rank": job.place.rank,
        "size": job.place.size,
        "ntasks": job.ntasks,
        "instance_owner": owner,
        "service": service_name(job.userid, job.id),
        "jobspec": job.told.spec,
        "R": job.told.r,
    });
    let mut next = 0;
    let ranks = (0..).zip(&job.nodes).map(|(id, node)| {
        let block: IdSet = (next..next + node.ntasks).collect();
        next += node.ntasks;
        let tasks = taskmap.map_or(block, |map| map.tasks_on(id));
        json!({
            "id": id,
            "name": node.host,
            "broker_rank": node.rank,
            "ntasks": tasks.count(),
            "taskids": tasks,
            "resources": {
                "ncores": node.cores.count(),
                "cores": node.cores,
                "gpus": node.gpus,
            },
        })
    });
    Facts {
        info,
        ranks: ranks.collect(),
        rank: job.place.rank as usize,
    }
}
