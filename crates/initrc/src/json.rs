//! Values of Lua as JSON, and back.

use mlua::{Lua, Table, Value as Lua_};
use serde_json::{Map, Number, Value};

use crate::limits::DEPTH_MAX;

/// JSON as Lua has it. Null is nil, and so is not there in a table.
pub fn to_lua(lua: &Lua, value: &Value) -> mlua::Result<Lua_> {
    Ok(match value {
        Value::Null => Lua_::Nil,
        Value::Bool(flag) => Lua_::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Lua_::Integer(whole),
            None => Lua_::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Lua_::String(lua.create_string(text)?),
        Value::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (at, item) in items.iter().enumerate() {
                table.raw_set(at + 1, to_lua(lua, item)?)?;
            }
            Lua_::Table(table)
        }
        Value::Object(items) => {
            let table = lua.create_table_with_capacity(0, items.len())?;
            for (name, item) in items {
                table.raw_set(name.as_str(), to_lua(lua, item)?)?;
            }
            Lua_::Table(table)
        }
    })
}

/// A value of Lua as JSON: a table whose keys are 1 to N is an array, any other an object.
pub fn of_lua(value: &Lua_) -> Result<Value, String> {
    convert(value, 0)
}

fn convert(value: &Lua_, depth: usize) -> Result<Value, String> {
    Ok(match value {
        Lua_::Nil => Value::Null,
        Lua_::Boolean(flag) => Value::Bool(*flag),
        Lua_::Integer(whole) => Value::from(*whole),
        Lua_::Number(number) => of_number(*number)?,
        Lua_::String(text) => Value::String(text.to_string_lossy()),
        Lua_::Table(_) if depth == DEPTH_MAX => {
            return Err(format!("tables are nested deeper than {DEPTH_MAX}"));
        }
        Lua_::Table(table) => of_table(table, depth + 1)?,
        other => return Err(format!("a {} is not JSON", other.type_name())),
    })
}

/// A number without a fraction is an integer, regardless of how it was computed.
fn of_number(number: f64) -> Result<Value, String> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "it has no fraction and fits"
        )]
        return Ok(Value::from(number as i64));
    }
    let finite = Number::from_f64(number);
    finite
        .map(Value::Number)
        .ok_or_else(|| format!("{number} is not JSON"))
}

fn of_table(table: &Table, depth: usize) -> Result<Value, String> {
    let length = table.raw_len();
    let mut items = Vec::new();
    let mut named = Map::new();
    let told = table.for_each(|key: Lua_, item: Lua_| {
        let item = convert(&item, depth).map_err(mlua::Error::runtime)?;
        match key {
            Lua_::Integer(_) if length > 0 => items.push((key.as_i64().unwrap_or(0), item)),
            Lua_::String(name) => {
                named.insert(name.to_string_lossy(), item);
            }
            Lua_::Integer(number) => {
                named.insert(number.to_string(), item);
            }
            other => {
                let why = format!("a {} is not a key in JSON", other.type_name());
                return Err(mlua::Error::runtime(why));
            }
        }
        Ok(())
    });
    told.map_err(|error| match error {
        mlua::Error::RuntimeError(text) => text,
        other => other.to_string(),
    })?;
    if named.is_empty() && !items.is_empty() && items.len() == length {
        items.sort_by_key(|(at, _)| *at);
        return Ok(Value::Array(
            items.into_iter().map(|(_, item)| item).collect(),
        ));
    }
    named.extend(items.into_iter().map(|(at, item)| (at.to_string(), item)));
    // The order of a table is by chance.
    named.sort_keys();
    Ok(Value::Object(named))
}
