//! `[ingest]`: the pipeline of submitted jobs (protocol/25 section 11).

use serde_json::Value;

use super::keys;
use super::table::Table;
use crate::data::shape::mismatch;
use crate::data::size::parse_size;
use crate::{Errno, Object, Refusal};

/// The table; `None` for keys that are not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ingest {
    /// Jobs in one commit; 0 for no limit.
    pub batch_count: Option<u64>,
    /// Bytes of the jobs that are in the two stages.
    pub buffer: Option<Buffer>,
    /// Stage that changes jobspecs.
    pub frobnicator: Stage,
    /// Stage that validates jobspecs.
    pub validator: Stage,
    /// Settings of a validator plugin.
    pub require_instance: RequireInstance,
}

/// One of the two stages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stage {
    /// Names of plugins.
    pub plugins: Option<Vec<String>>,
    /// Arguments.
    pub args: Option<Vec<String>>,
    /// True to skip the stage.
    pub disable: bool,
}

/// Job size from which on a job must be an instance of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequireInstance {
    /// Nodes.
    pub minnodes: Option<u64>,
    /// Cores.
    pub mincores: Option<u64>,
}

/// A number of bytes, with the text that it was given as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buffer {
    /// Size in bytes.
    pub bytes: usize,
    /// Text as written.
    pub text: String,
}

const FROBNICATOR: &str = "frobnicator";
const VALIDATOR: &str = "validator";
const REQUIRE_INSTANCE: &str = "require-instance";

impl Ingest {
    /// Reads it.
    ///
    /// # Errors
    /// EINVAL with the first error in it.
    pub fn parse(conf: &Object) -> Result<Ingest, Refusal> {
        let Some(value) = conf.0.get("ingest") else {
            return Ok(Ingest::default());
        };
        let (count, size) = (
            keys::INGEST_BATCH_COUNT.last_word(),
            keys::INGEST_BUFFER_SIZE.last_word(),
        );
        let known = [count, size, FROBNICATOR, VALIDATOR];
        let table = Table::open_as("reading", "ingest".to_owned(), value, &known)?;
        let mut ingest = Ingest {
            batch_count: read_count(&table, count)?,
            ..Ingest::default()
        };
        ingest.buffer = match table.get(size) {
            None => None,
            Some(Value::String(text)) => Some(Buffer::parse(text)?),
            Some(value) => return Err(table.fail(&mismatch("string", value))),
        };
        if let Some(table) = table.get(FROBNICATOR) {
            ingest.frobnicator = Stage::read(FROBNICATOR, table, &FROBNICATOR_KEYS)?.0;
        }
        if let Some(table) = table.get(VALIDATOR) {
            let (stage, table) = Stage::read(VALIDATOR, table, &VALIDATOR_KEYS)?;
            ingest.validator = stage;
            ingest.require_instance = RequireInstance::read(&table)?;
        }
        Ok(ingest)
    }
}

const FROBNICATOR_KEYS: [&str; 3] = [
    keys::INGEST_FROBNICATOR_PLUGINS.last_word(),
    keys::INGEST_FROBNICATOR_ARGS.last_word(),
    keys::INGEST_FROBNICATOR_DISABLE.last_word(),
];

const VALIDATOR_KEYS: [&str; 4] = [
    keys::INGEST_VALIDATOR_PLUGINS.last_word(),
    keys::INGEST_VALIDATOR_ARGS.last_word(),
    keys::INGEST_VALIDATOR_DISABLE.last_word(),
    REQUIRE_INSTANCE,
];

impl Stage {
    /// Reads a stage whose first three keys are its plugins, their arguments, and whether it
    /// is disabled.
    fn read<'a>(
        name: &str,
        value: &'a Value,
        known: &[&str],
    ) -> Result<(Stage, Table<'a>), Refusal> {
        let table = Table::open(format!("ingest.{name}"), value, known)?;
        let texts = |key: &str| -> Result<Option<Vec<String>>, Refusal> {
            let text = format!("error in [ingest.{name}] {key} array");
            table.texts(key, "").map_err(|_| invalid(text))
        };
        let [plugins, args, disable] = [known[0], known[1], known[2]];
        let stage = Stage {
            plugins: texts(plugins)?,
            args: texts(args)?,
            disable: match table.get(disable) {
                None => false,
                Some(Value::Bool(disable)) => *disable,
                Some(value) => return Err(table.fail(&mismatch("true or false", value))),
            },
        };
        Ok((stage, table))
    }
}

impl RequireInstance {
    fn read(validator: &Table<'_>) -> Result<RequireInstance, Refusal> {
        let (nodes, cores) = (
            keys::INGEST_REQUIRE_INSTANCE_MINNODES.last_word(),
            keys::INGEST_REQUIRE_INSTANCE_MINCORES.last_word(),
        );
        let Some(table) = validator.named(REQUIRE_INSTANCE, &[nodes, cores])? else {
            return Ok(RequireInstance::default());
        };
        Ok(RequireInstance {
            minnodes: read_count(&table, nodes)?,
            mincores: read_count(&table, cores)?,
        })
    }
}

impl Buffer {
    /// Reads a size such as `10M`.
    ///
    /// # Errors
    /// EINVAL if it is not a size.
    pub fn parse(text: &str) -> Result<Buffer, Refusal> {
        let bytes = parse_size(text).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.filter(|bytes| *bytes > 0);
        let invalid = || invalid(format!("Invalid buffer-size: '{text}'"));
        Ok(Buffer {
            bytes: bytes.ok_or_else(invalid)?,
            text: text.to_owned(),
        })
    }
}

/// Reads a number that is not negative.
fn read_count(table: &Table<'_>, key: &str) -> Result<Option<u64>, Refusal> {
    let Some(value) = table.get(key) else {
        return Ok(None);
    };
    let number = value.as_i64();
    let number = number.ok_or_else(|| table.fail(&mismatch("integer", value)))?;
    let number = u64::try_from(number);
    number
        .map(Some)
        .map_err(|_| table.fail(&format!("'{key}' must be >= 0")))
}

fn invalid(text: String) -> Refusal {
    Refusal::new(Errno::EINVAL, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(ingest: Value, expect: Result<Ingest, &str>) {
        let conf = json!({ "ingest": ingest });
        let conf = Object(conf.as_object().cloned().unwrap_or_default());
        let read = Ingest::parse(&conf).map_err(|refusal| refusal.to_string());
        assert_eq!(read, expect.map_err(str::to_owned), "{:?}", conf.0);
    }

    #[test]
    fn every_key_is_read() {
        check(json!({}), Ok(Ingest::default()));
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        check(
            json!({
                "batch-count": 5, "buffer-size": "1k",
                "frobnicator": {"disable": true, "plugins": []},
                "validator": {"plugins": ["jobspec", "feasibility"], "args": ["--x=1"],
                    "require-instance": {"minnodes": 4, "mincores": 0}},
            }),
            Ok(Ingest {
                batch_count: Some(5),
                buffer: Some(Buffer {
                    bytes: 1024,
                    text: "1k".to_owned(),
                }),
                frobnicator: Stage {
                    plugins: Some(Vec::new()),
                    args: None,
                    disable: true,
                },
                validator: Stage {
                    plugins: words(&["jobspec", "feasibility"]),
                    args: words(&["--x=1"]),
                    disable: false,
                },
                require_instance: RequireInstance {
                    minnodes: Some(4),
                    mincores: Some(0),
                },
            }),
        );
    }

    #[test]
    fn what_is_wrong_has_the_texts_of_flux() {
        let reading = "error reading [ingest] config table:";
        let parsing = |table: &str| format!("error parsing [ingest.{table}] config table:");
        let frobnicator = parsing("frobnicator");
        let instance = parsing("validator.require-instance");
        for (ingest, expect) in [
            (json!(1), format!("{reading} Expected object, got integer")),
            (
                json!({"foo": 1}),
                format!("{reading} 1 object item(s) left unpacked: foo"),
            ),
            (
                json!({"batch-count": "x"}),
                format!("{reading} Expected integer, got string"),
            ),
            (
                json!({"batch-count": -1}),
                format!("{reading} 'batch-count' must be >= 0"),
            ),
            (
                json!({"buffer-size": 1}),
                format!("{reading} Expected string, got integer"),
            ),
            (
                json!({"buffer-size": "x"}),
                "Invalid buffer-size: 'x'".to_owned(),
            ),
            (
                json!({"buffer-size": "0"}),
                "Invalid buffer-size: '0'".to_owned(),
            ),
            (
                json!({"validator": {"plugins": "x"}}),
                "error in [ingest.validator] plugins array".to_owned(),
            ),
            (
                json!({"validator": {"args": [1]}}),
                "error in [ingest.validator] args array".to_owned(),
            ),
            (
                json!({"frobnicator": {"disable": 1}}),
                format!("{frobnicator} Expected true or false, got integer"),
            ),
            (
                json!({"frobnicator": 1}),
                format!("{frobnicator} Expected object, got integer"),
            ),
            (
                json!({"frobnicator": {"require-instance": {}}}),
                format!("{frobnicator} 1 object item(s) left unpacked: require-instance"),
            ),
            (
                json!({"validator": {"require-instance": {"minnodes": "x"}}}),
                format!("{instance} Expected integer, got string"),
            ),
        ] {
            check(ingest, Err(&expect));
        }
    }
}
