//! Functions for the objects of `prelude.lua`. A function that fails answers nil and a text, so
//! that Lua adds the place in the script.

use mlua::{Lua, MultiValue, Table, Value as Lua_};
use serde_json::Value;

use crate::find::shipped;
use crate::json::{of_lua, to_lua};
use crate::limits::FILES_MAX;
use crate::state::{BUILT_IN_PLUGINS, REPLACEABLE, Shared};
use crate::{Effect, LogLine};

/// Nil and a text.
type Answer = mlua::Result<(Lua_, Option<String>)>;

fn refuse(text: impl Into<String>) -> Answer {
    Ok((Lua_::Nil, Some(text.into())))
}

fn done() -> Answer {
    Ok((Lua_::Boolean(true), None))
}

/// The functions, by name.
pub fn functions(lua: &Lua, shared: &Shared) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    logs(lua, shared, &host)?;
    facts(lua, shared, &host)?;
    options(lua, shared, &host)?;
    variables(lua, shared, &host)?;
    files(lua, shared, &host)?;
    plugins(lua, shared, &host)?;
    Ok(host)
}

/// The file and the line of the function `level` steps above the one that asks.
fn place(lua: &Lua, level: usize) -> Option<(String, i64)> {
    lua.inspect_stack(level, |debug| {
        let source = debug.source().source?.into_owned();
        let file = source.strip_prefix('@').unwrap_or(&source).to_owned();
        Some((file, i64::try_from(debug.current_line()?).ok()?))
    })
    .flatten()
}

/// A value in words, as `print` shows it.
fn text_of(value: &Lua_) -> String {
    match value {
        Lua_::String(text) => text.to_string_lossy(),
        other => other.to_string().unwrap_or_default(),
    }
}

fn logs(lua: &Lua, shared: &Shared, host: &Table) -> mlua::Result<()> {
    for (name, level) in [("log_error", 3), ("log", 5), ("debug", 6)] {
        let shared = shared.clone();
        let log = lua.create_function(move |lua, message: Lua_| {
            let (message, at) = (text_of(&message), place(lua, 1));
            shared.lock().log(LogLine { level, message, at });
            Ok(())
        })?;
        host.raw_set(name, log)?;
    }
    let say = shared.clone();
    let say = lua.create_function(move |_, (level, text): (i32, Lua_)| {
        say.lock().log(LogLine::plain(level, text_of(&text)));
        Ok(())
    })?;
    host.raw_set("say", say)?;
    let die = shared.clone();
    let die = lua.create_function(move |lua, message: Lua_| {
        let (level, message, at) = (0, text_of(&message), place(lua, 2));
        let mut state = die.lock();
        state.death.get_or_insert(LogLine { level, message, at });
        // The script ends at its next step, even where it catches errors.
        state.left = 0;
        drop(state);
        crate::engine::stop(lua)?;
        Ok(())
    })?;
    host.raw_set("die", die)
}

fn facts(lua: &Lua, shared: &Shared, host: &Table) -> mlua::Result<()> {
    let info = shared.clone();
    let info = lua.create_function(move |lua, ()| {
        let (info, verbose) = {
            let state = info.lock();
            (state.facts.info.clone(), state.verbose)
        };
        let info = to_lua(lua, &info)?;
        if let Lua_::Table(info) = &info {
            let options = lua.create_table()?;
            options.raw_set("verbose", verbose)?;
            info.raw_set("options", options)?;
        }
        Ok(info)
    })?;
    host.raw_set("info", info)?;
    let ranks = shared.clone();
    let rankinfo = lua.create_function(move |lua, rank: Option<i64>| {
        let found = {
            let state = ranks.lock();
            let own = i64::try_from(state.facts.rank).unwrap_or(0);
            let rank = rank.filter(|rank| *rank >= 0).unwrap_or(own);
            let at = usize::try_from(rank).unwrap_or(usize::MAX);
            state.facts.ranks.get(at).cloned()
        };
        to_lua(lua, &found.unwrap_or_default())
    })?;
    host.raw_set("rankinfo", rankinfo)?;
    let verbose = shared.clone();
    let verbose = lua.create_function(move |_, ()| Ok(verbose.lock().verbose > 0))?;
    host.raw_set("verbose", verbose)?;
    let set = shared.clone();
    let set = lua.create_function(move |_, value: Lua_| {
        let level = match value {
            Lua_::Boolean(flag) => i64::from(flag),
            Lua_::Integer(level) => level,
            #[allow(clippy::cast_possible_truncation, reason = "it saturates")]
            Lua_::Number(level) => level as i64,
            _ => return refuse("invalid assignment to shell.verbose"),
        };
        let level = level.clamp(0, 2);
        let mut state = set.lock();
        state.verbose = level;
        state.effects.push(Effect::Verbose(level));
        done()
    })?;
    host.raw_set("set_verbose", set)
}

fn options(lua: &Lua, shared: &Shared, host: &Table) -> mlua::Result<()> {
    let all = shared.clone();
    let all = lua.create_function(move |lua, ()| {
        let options = Value::Object(all.lock().options.clone());
        to_lua(lua, &options)
    })?;
    host.raw_set("options", all)?;
    let get = shared.clone();
    let get = lua.create_function(move |lua, name: String| {
        let value = {
            let mut state = get.lock();
            state.asked.insert(name.clone());
            state.options.get(&name).cloned()
        };
        to_lua(lua, &value.unwrap_or_default())
    })?;
    host.raw_set("option", get)?;
    let set = shared.clone();
    let set = lua.create_function(move |_, (name, value): (String, Lua_)| {
        let value = match of_lua(&value) {
            Ok(value) => value,
            Err(why) => return refuse(format!("shell.options.{name}: {why}")),
        };
        let mut state = set.lock();
        state.asked.insert(name.clone());
        match value {
            Value::Null => drop(state.options.shift_remove(&name)),
            value => drop(state.options.insert(name, value)),
        }
        done()
    })?;
    host.raw_set("set_option", set)
}

fn variables(lua: &Lua, shared: &Shared, host: &Table) -> mlua::Result<()> {
    for (prefix, of_task) in [("", false), ("task_", true)] {
        let get = shared.clone();
        let get = lua.create_function(move |lua, name: Option<String>| {
            let mut state = get.lock();
            let vars = state.variables(of_task);
            match (vars, name) {
                (None, _) => Ok(Lua_::Nil),
                (Some(vars), Some(name)) => match vars.get(&name) {
                    Some(value) => Ok(Lua_::String(lua.create_string(value)?)),
                    None => Ok(Lua_::Nil),
                },
                (Some(vars), None) => {
                    let vars = vars.clone();
                    drop(state);
                    Ok(Lua_::Table(lua.create_table_from(vars)?))
                }
            }
        })?;
        host.raw_set(format!("{prefix}getenv"), get)?;
        let set = shared.clone();
        let set = lua.create_function(move |_, (name, value): (String, Option<String>)| {
            let is_sound = !name.is_empty() && !name.contains(['=', '\0']);
            let is_sound = is_sound && value.as_ref().is_none_or(|value| !value.contains('\0'));
            if !is_sound {
                return refuse("Invalid argument");
            }
            let mut state = set.lock();
            let Some(vars) = state.variables(of_task) else {
                return refuse("attempt to access task outside of task context");
            };
            match value {
                Some(value) => drop(vars.insert(name, value)),
                None => drop(vars.remove(&name)),
            }
            done()
        })?;
        host.raw_set(format!("{prefix}setenv"), set)?;
    }
    let task = shared.clone();
    let task = lua.create_function(move |lua, ()| {
        let info = task.lock().task.as_ref().map(|task| task.info.clone());
        to_lua(lua, &info.unwrap_or_default())
    })?;
    host.raw_set("task", task)
}

fn files(lua: &Lua, shared: &Shared, host: &Table) -> mlua::Result<()> {
    let glob = shared.clone();
    let glob = lua.create_function(move |_, pattern: String| {
        let mut files = glob.lock().disk.glob(&pattern);
        files.truncate(FILES_MAX);
        Ok(files)
    })?;
    host.raw_set("glob", glob)?;
    let read = shared.clone();
    let read = lua.create_function(move |lua, path: String| {
        let text = read.lock().disk.read(&path);
        match text {
            Ok(text) => Ok((Lua_::String(lua.create_string(text)?), None)),
            Err(why) => refuse(why),
        }
    })?;
    host.raw_set("read", read)?;
    let rcpath = shared.clone();
    let rcpath = lua.create_function(move |_, ()| Ok(rcpath.lock().rcpath.clone()))?;
    host.raw_set("rcpath", rcpath)?;
    let folder = shared.clone();
    let folder = lua.create_function(move |_, ()| Ok(folder.lock().folder.clone()))?;
    host.raw_set("folder", folder)?;
    let shipped = lua.create_function(|_, name: String| Ok(shipped(&name)))?;
    host.raw_set("shipped", shipped)
}

fn plugins(lua: &Lua, shared: &Shared, host: &Table) -> mlua::Result<()> {
    let path = shared.clone();
    let path = lua.create_function(move |_, set: Option<String>| {
        let mut state = path.lock();
        if let Some(set) = set {
            state.searchpath = set;
        }
        Ok(state.searchpath.clone())
    })?;
    host.raw_set("searchpath", path)?;
    let adopt = shared.clone();
    let adopt = lua.create_function(move |_, (name, globs): (String, Vec<String>)| {
        let mut state = adopt.lock();
        if BUILT_IN_PLUGINS.contains(&name.as_str()) {
            if !REPLACEABLE.contains(&name.as_str()) {
                return refuse(format!(
                    "plugin.register: {name} is part of the shell and cannot be replaced"
                ));
            }
            state.replaced.insert(name);
        }
        state.globs.extend(globs);
        done()
    })?;
    host.raw_set("adopt", adopt)?;
    let matches = lua.create_function(|_, (glob, topic): (String, String)| {
        Ok(wire::topic::glob_matches(&glob, &topic))
    })?;
    host.raw_set("matches", matches)?;
    let begin = shared.clone();
    let begin = lua.create_function(move |_, name: String| {
        begin.lock().current = name;
        Ok(())
    })?;
    host.raw_set("begin", begin)?;
    let overrun = shared.clone();
    let overrun = lua.create_function(move |_, args: MultiValue| {
        // The text of an error that we have raised is ours.
        let given = args.front().map(text_of).unwrap_or_default();
        Ok(overrun.lock().overrun.clone().unwrap_or(given))
    })?;
    host.raw_set("words", overrun)
}
