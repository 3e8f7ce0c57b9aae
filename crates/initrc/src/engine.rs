//! Runs scripts within their limits.

use std::collections::BTreeMap;

use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Value as Lua_, VmState};
use serde_json::{Map, Value};

use crate::find::{BUILT_IN_NAME, Script};
use crate::host;
use crate::json::{of_lua, to_lua};
use crate::limits::{
    CALL_INSTRUCTIONS_MAX, LOAD_INSTRUCTIONS_MAX, LOOK_INSTRUCTIONS, MEMORY_BYTES_MAX, SOURCES_MAX,
};
use crate::state::{Shared, State};
use crate::{Disk, Effect, Facts, LogLine, Task};

/// Initial state of scripts.
pub struct Start {
    /// Facts that they can read.
    pub facts: Facts,
    /// The job's options.
    pub options: Map<String, Value>,
    /// The job's environment.
    pub env: BTreeMap<String, String>,
    /// Verbosity of the shell.
    pub verbose: i64,
    /// Folders with plug-ins, separated by colons.
    pub searchpath: String,
    /// Reader of files.
    pub disk: Box<dyn Disk>,
}

/// Result of a call of handlers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Called {
    /// Plug-ins whose handler has failed.
    pub failed: Vec<String>,
    /// Value returned by a handler, for topics that ask for one.
    pub result: Option<Value>,
}

/// The scripts of one shell.
pub struct Engine {
    shared: Shared,
    lua: Lua,
    run: Function,
    call: Function,
}

impl Engine {
    /// Lua with the objects of a shell.
    pub fn new(start: Start, script: &Script) -> Result<Engine, String> {
        let shared = Shared::new(State {
            facts: start.facts,
            options: start.options,
            asked: Default::default(),
            env: start.env,
            verbose: start.verbose,
            searchpath: start.searchpath,
            folder: script.folder.clone(),
            rcpath: script.rcpath.clone(),
            disk: start.disk,
            effects: Vec::new(),
            n_dropped: 0,
            task: None,
            current: String::new(),
            globs: Default::default(),
            replaced: Default::default(),
            death: None,
            left: 0,
            overrun: None,
        });
        Engine::build(shared).map_err(|error| error.to_string())
    }

    fn build(shared: Shared) -> mlua::Result<Engine> {
        let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::default())?;
        lua.set_memory_limit(MEMORY_BYTES_MAX)?;
        let host = host::functions(&lua, &shared)?;
        host.raw_set("sources_max", SOURCES_MAX)?;
        let prelude = lua
            .load(include_str!("prelude.lua"))
            .set_name("@prelude.lua");
        let (run, call) = prelude.call(host)?;
        Ok(Engine {
            shared,
            lua,
            run,
            call,
        })
    }

    /// Runs the script that a job begins with. If it fails, that is the job's last word.
    pub fn load(&mut self, script: &Script) -> Result<(), LogLine> {
        let name = &script.name;
        let shown = match name.as_str() {
            BUILT_IN_NAME => "trying to load the built-in script".to_owned(),
            name => format!("trying to load {name}"),
        };
        {
            let mut state = self.shared.lock();
            state.log(LogLine::plain(6, format!("Loading {name}")));
            state.log(LogLine::plain(
                7,
                "Successfully loaded flux.shell module".to_owned(),
            ));
            state.log(LogLine::plain(7, shown));
        }
        let what = format!("{name} and its files");
        let ran = self.within(LOAD_INSTRUCTIONS_MAX, &what, |engine| {
            let text = engine.lua.create_string(&script.text)?;
            let ran: (Lua_, Option<String>) = engine.run.call((name.as_str(), text))?;
            Ok(ran)
        });
        let mut state = self.shared.lock();
        if let Some(death) = state.death.take() {
            return Err(death);
        }
        let why = match ran {
            Ok((_, None)) => return Ok(()),
            Ok((_, Some(why))) => why,
            Err(error) => state.overrun.clone().unwrap_or_else(|| first_line(&error)),
        };
        state.log(LogLine::plain(3, why));
        Err(LogLine::plain(0, format!("loading rc file {name}")))
    }

    /// True if there is a handler for a topic.
    pub fn handles(&self, topic: &str) -> bool {
        let state = self.shared.lock();
        let mut globs = state.globs.iter();
        globs.any(|glob| wire::topic::glob_matches(glob, topic))
    }

    /// True if a handler asks for topics with this prefix, and not for all.
    pub fn names(&self, beginning: &str) -> bool {
        let state = self.shared.lock();
        state.globs.iter().any(|glob| glob.starts_with(beginning))
    }

    /// Calls the handlers for a topic, of a task if it is about one. Their changes of it are
    /// complete when this returns.
    pub fn call(&mut self, topic: &str, args: &Value, task: Option<&mut Task>) -> Called {
        if !self.handles(topic) {
            return Called::default();
        }
        self.shared.lock().task = task.as_deref().cloned();
        let called = self.call_all(topic, args);
        let changed = self.shared.lock().task.take();
        if let (Some(task), Some(changed)) = (task, changed) {
            *task = changed;
        }
        called
    }

    fn call_all(&mut self, topic: &str, args: &Value) -> Called {
        let what = format!("handlers of {topic}");
        let called = self.within(CALL_INSTRUCTIONS_MAX, &what, |engine| {
            let args = to_lua(&engine.lua, args)?;
            engine.call.call::<(Vec<String>, Lua_)>((topic, args))
        });
        let mut state = self.shared.lock();
        match called {
            Ok((failed, result)) => Called {
                failed,
                result: of_lua(&result).ok().filter(|result| !result.is_null()),
            },
            Err(error) => {
                let why = state.overrun.clone().unwrap_or_else(|| first_line(&error));
                state.log(LogLine::plain(3, why));
                Called {
                    failed: vec![state.current.clone()],
                    result: None,
                }
            }
        }
    }

    /// Does something within a number of instructions, or fails.
    fn within<T>(
        &self,
        instructions: u64,
        what: &str,
        run: impl FnOnce(&Engine) -> mlua::Result<T>,
    ) -> mlua::Result<T> {
        {
            let mut state = self.shared.lock();
            (state.left, state.overrun) = (instructions, None);
        }
        let (shared, text) = (
            self.shared.clone(),
            format!("{what} ran for more than {instructions} instructions"),
        );
        let every = HookTriggers::new().every_nth_instruction(LOOK_INSTRUCTIONS);
        self.lua.set_global_hook(every, move |lua, _| {
            let mut state = shared.lock();
            state.left = state.left.saturating_sub(u64::from(LOOK_INSTRUCTIONS));
            if state.left > 0 {
                return Ok(VmState::Continue);
            }
            state.overrun = Some(text.clone());
            drop(state);
            stop(lua)?;
            Err(mlua::Error::runtime(&text))
        })?;
        let done = run(self);
        self.lua.remove_global_hook();
        self.lua.remove_hook();
        done
    }

    /// Effects of scripts since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        self.shared.lock().take_effects()
    }

    /// Message of `shell.die` in a handler.
    pub fn take_death(&mut self) -> Option<LogLine> {
        self.shared.lock().death.take()
    }

    /// The job's options as they are now.
    pub fn options(&self) -> Map<String, Value> {
        self.shared.lock().options.clone()
    }

    /// True if a script has read an option, or set it.
    pub fn knows_option(&self, name: &str) -> bool {
        self.shared.lock().asked.contains(name)
    }

    /// The job's environment as it is now.
    pub fn env(&self) -> BTreeMap<String, String> {
        self.shared.lock().env.clone()
    }

    /// True if a plug-in has replaced this part of the shell.
    pub fn replaces(&self, name: &str) -> bool {
        self.shared.lock().replaced.contains(name)
    }

    /// More is known than when the scripts began.
    pub fn set_facts(&mut self, facts: Facts) {
        self.shared.lock().facts = facts;
    }
}

/// From now on every step of a script fails, so that none goes on that catches errors.
pub(crate) fn stop(lua: &Lua) -> mlua::Result<()> {
    let each = HookTriggers::new().every_nth_instruction(1);
    lua.set_global_hook(each, |_, _| Err(mlua::Error::runtime("ended")))
}

/// An error without where in our own code it came from.
fn first_line(error: &mlua::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}
