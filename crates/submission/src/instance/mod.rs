//! Jobs that are instances: the common part of `batch` and `alloc` (protocol/24 sections 5
//! and 6).
//!
//! Read on in `slots.rs` (the options of submissions, for slots instead of tasks), `conf.rs`
//! (the configuration of the instance) and `script.rs` (its initial program).

mod conf;
mod script;
mod slots;

use proto::data::Jobspec;
use serde_json::{Map, Value, json};

use crate::jobspec::refuse;
use crate::limits::ADDED_BROKERS_MAX;
use command::env::Env;
use command::error::CliError;

pub use script::Script;
pub use slots::SlotOptions;

/// Options of the instance.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct InstanceOptions {
    /// Add to the configuration of the instance: KEY=VALUE, a TOML or JSON file, the name of a
    /// configuration, or several lines of TOML or JSON
    #[arg(long, value_name = "CONFIG")]
    pub conf: Vec<String>,
    /// Pass options to the brokers, separated by commas
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub broker_opts: Vec<String>,
    /// Archive the key-value store of the instance when it ends
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true,
        default_missing_value = DUMP_DEFAULT)]
    pub dump: Option<String>,
    /// Brokers on the first node beside the one that each node has, without resources
    #[arg(long, value_name = "K", hide = true)]
    pub add_brokers: Option<u32>,
}

const DUMP_DEFAULT: &str = "flux-{{jobid}}-dump.tgz";

/// The configuration among the files of the job, and where the job shell puts it.
const CONF_FILE: &str = "conf.json";
const CONF_OPTION: &str = "-c{{tmpdir}}/conf.json";
/// File types and permissions: a regular file of its owner.
const CONF_MODE: u32 = 0o100_600;

/// A job that is an instance: the special parts of its jobspec.
#[derive(Debug, Clone, Default)]
pub struct Instance {
    /// `flux broker` and its options.
    command: Vec<String>,
    /// Files that travel with the job.
    files: Map<String, Value>,
    /// Brokers on the first node beside that of each node.
    added: u32,
    /// Shell options of the command that made it.
    options: Vec<(&'static str, Value)>,
}

impl InstanceOptions {
    /// The instance that the options mean. `nodes` is the number requested by the job.
    pub fn instance(&self, env: &Env, nodes: Option<u32>) -> Result<Instance, CliError> {
        let added = self.add_brokers.unwrap_or(0);
        if added > 0 && nodes.is_none() {
            let text = "--add-brokers may only be specified with -N, --nnodes";
            return Err(CliError::new(text));
        }
        if added > ADDED_BROKERS_MAX {
            let text = format!("--add-brokers: more than {ADDED_BROKERS_MAX}");
            return Err(CliError::new(text));
        }
        let mut conf = conf::read(env, &self.conf)?;
        if added > 0 {
            let ranks = match added {
                1 => "1".to_owned(),
                _ => format!("1-{added}"),
            };
            let exclude = json!({ "resource": { "exclude": ranks } });
            conf::merge(&mut conf, exclude.as_object().cloned().unwrap_or_default());
        }
        let mut command = vec!["flux".to_owned(), "broker".to_owned()];
        let words = self.broker_opts.iter().flat_map(|words| words.split(','));
        command.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        if let Some(file) = &self.dump {
            command.push(format!("-Scontent.dump={file}"));
        }
        let mut files = Map::new();
        if !conf.is_empty() {
            command.push(CONF_OPTION.to_owned());
            let file = json!({ "mode": CONF_MODE, "data": conf });
            files.insert(CONF_FILE.to_owned(), file);
        }
        Ok(Instance {
            command,
            files,
            added,
            options: Vec::new(),
        })
    }
}

impl Instance {
    /// Gives the broker one more option, or the initial program its words.
    pub fn push_words(&mut self, words: impl IntoIterator<Item = String>) {
        self.command.extend(words);
    }

    /// Has the job shell do something for the command that submits.
    pub fn set_option(&mut self, key: &'static str, value: Value) {
        self.options.push((key, value));
    }

    /// Lets the job run a script.
    pub fn add_script(&mut self, script: &Script) {
        let file = json!({ "mode": script::MODE, "data": script.text, "encoding": "utf-8" });
        self.files.insert(script::FILE.to_owned(), file);
        self.command.push(script::PATH.to_owned());
        self.command.extend(script.arguments.iter().cloned());
    }

    /// Command of its job.
    pub(crate) fn command(&self) -> &[String] {
        &self.command
    }

    /// The files of its job, before those that the user adds.
    pub(crate) fn files(&self) -> &Map<String, Value> {
        &self.files
    }

    /// Sets attributes that only such jobs have.
    pub(crate) fn complete(
        &self,
        jobspec: &mut Jobspec,
        nodes: Option<u32>,
    ) -> Result<(), CliError> {
        let nodes = nodes.unwrap_or(1);
        let mut set = |key: &str, value| jobspec.set_shell_option(key, value).map_err(refuse);
        if self.added == 0 {
            set("per-resource", json!({ "type": "node" }))?;
        } else {
            let mut map = vec![json!([0, 1, 1 + self.added, 1])];
            if nodes > 1 {
                map.push(json!([1, nodes - 1, 1, 1]));
            }
            let map = Value::Array(map).to_string();
            set("taskmap", json!({ "scheme": "manual", "value": map }))?;
        }
        set("mpi", "none".into())?;
        set("exit-timeout", "none".into())?;
        for (key, value) in &self.options {
            set(key, value.clone())?;
        }
        if self.added > 0 {
            let total = u64::from(nodes) + u64::from(self.added);
            let count = json!({ "total": total });
            jobspec.set_task_count(count);
        }
        Ok(())
    }
}
