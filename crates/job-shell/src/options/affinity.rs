//! Options `cpu-affinity` and `gpu-affinity` (protocol/23 section 9).

use proto::data::IdSet;
use proto::data::shell_option::{CPU_AFFINITY, GPU_AFFINITY};

use super::reader::{Problem, Reader};

/// Binding of tasks to cores.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CpuAffinity {
    /// Kind of binding.
    pub mode: Affinity,
    /// Say so.
    pub verbose: bool,
    /// Only log it.
    pub dry_run: bool,
}

/// Binding of tasks to cores, or assignment of GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Affinity {
    /// Not at all.
    Off,
    /// All to all of the job's.
    #[default]
    On,
    /// Each to its share of the job's.
    PerTask,
    /// Each to the set at its place; over and over, for further tasks.
    Map(Vec<IdSet>),
}

impl Affinity {
    /// True if it differs between tasks.
    pub fn is_per_task(&self) -> bool {
        matches!(self, Affinity::PerTask | Affinity::Map(_))
    }
}

/// Reads `cpu-affinity`.
pub fn cpu(reader: &mut Reader) -> Result<CpuAffinity, Problem> {
    let mut affinity = CpuAffinity::default();
    let Ok(text) = reader.text(CPU_AFFINITY) else {
        reader.warn("cpu-affinity", "cpu-affinity: invalid option: on");
        return Ok(affinity);
    };
    let mut rest = text.unwrap_or("on");
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix("verbose") {
            affinity.verbose = true;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("dry-run") {
            affinity.dry_run = true;
            rest = after;
        } else {
            break;
        }
    }
    affinity.mode = mode(rest, cpuset)?;
    Ok(affinity)
}

/// Reads `gpu-affinity`.
pub fn gpu(reader: &mut Reader) -> Result<Affinity, Problem> {
    match reader.text(GPU_AFFINITY) {
        Ok(text) => mode(text.unwrap_or("on"), |entry| {
            entry.parse().ok().filter(|set: &IdSet| !set.is_empty())
        }),
        Err(_) => {
            let text = "Failed to get gpu-affinity shell option, ignoring";
            reader.warn("gpu-affinity", text);
            Ok(Affinity::On)
        }
    }
}

fn mode(word: &str, set: impl Fn(&str) -> Option<IdSet>) -> Result<Affinity, Problem> {
    if let Some(list) = word.strip_prefix("map:") {
        let entries = list.split(';').filter(|entry| !entry.is_empty());
        let sets = entries.map(|entry| {
            let invalid = || format!("cpuset {entry} contains no cores or is invalid");
            set(entry).ok_or_else(invalid)
        });
        let sets: Vec<IdSet> = sets.collect::<Result<_, _>>()?;
        return match sets.is_empty() {
            true => Err(format!("no cpusets found in affinity list {list}").into()),
            false => Ok(Affinity::Map(sets)),
        };
    }
    Ok(match word {
        "" | "on" => Affinity::On,
        "off" => Affinity::Off,
        "per-task" => Affinity::PerTask,
        // Any other word is on too, without a remark (protocol/23 section 3).
        _ => Affinity::On,
    })
}

/// A set of CPUs: words of a bitmap, the highest first, a mask, or a list.
pub fn cpuset(text: &str) -> Option<IdSet> {
    let set = match (text.starts_with("0x"), text.contains(',')) {
        (true, true) => {
            let words: Option<Vec<String>> = text.split(',').map(bitmap_word).collect();
            mask(&words?.concat())
        }
        (true, false) => mask(text.strip_prefix("0x")?),
        (false, _) => text.parse().ok(),
    };
    set.filter(|set| !set.is_empty())
}

/// One word of a bitmap: 32 bits as eight digits.
fn bitmap_word(word: &str) -> Option<String> {
    let digits = word.strip_prefix("0x")?;
    (digits.len() <= 8).then(|| format!("{digits:0>8}"))
}

/// The bits that are set in a hexadecimal number of any length.
fn mask(digits: &str) -> Option<IdSet> {
    let mut set = IdSet::new();
    for (place, digit) in (0..).zip(digits.chars().rev()) {
        let bits = digit.to_digit(16)?;
        for bit in (0..4).filter(|bit| bits & (1 << bit) != 0) {
            set.insert(place * 4 + bit);
        }
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The mode of `cpu-affinity`, or the words it is refused or replaced with.
    fn check(value: Value, expect: &str) {
        let options = json!({ "cpu-affinity": value });
        let mut reader = Reader::new(options.as_object().unwrap());
        let shown = match cpu(&mut reader) {
            Err(Problem::New(text) | Problem::Text(text)) => text,
            Ok(affinity) => {
                let map = match &affinity.mode {
                    Affinity::Map(sets) => {
                        let sets: Vec<String> = sets.iter().map(IdSet::to_string).collect();
                        format!("Map {}", sets.join(";"))
                    }
                    mode => format!("{mode:?}"),
                };
                let verbose = if affinity.verbose { " verbose" } else { "" };
                let dry_run = if affinity.dry_run { " dry-run" } else { "" };
                format!("{map}{verbose}{dry_run}")
            }
        };
        let remarks = reader.finish().unwrap();
        let last = remarks
            .last()
            .map_or(String::new(), |remark| format!(" | {}", remark.text));
        assert_eq!(shown + &last, expect, "{value}");
    }

    #[test]
    fn words_say_how_tasks_are_bound() {
        check(json!(null), "On");
        check(json!("off"), "Off");
        check(json!("verbose"), "On verbose");
        check(json!("verbose,per-task"), "PerTask verbose");
        check(json!("dry-run,verbose,on"), "On verbose dry-run");
        check(json!("verbose dry-run off"), "Off verbose dry-run");
    }

    #[test]
    fn maps_are_lists_masks_or_bitmaps() {
        check(json!("map:0-1;2"), "Map 0-1;2");
        check(json!("map:0x3;0xf0"), "Map 0-1;4-7");
        check(json!("map:0x1,0x00000003"), "Map 0-1,32");
        for bad in ["0x0", "x", "0xg", "0x1,3", "0x123456789,0x0", "1-"] {
            let text = format!("cpuset {bad} contains no cores or is invalid");
            check(json!(format!("map:0;{bad}")), &text);
        }
        check(json!("map:"), "no cpusets found in affinity list ");
        check(json!("map:;"), "no cpusets found in affinity list ;");
    }

    #[test]
    fn what_is_no_word_is_on() {
        check(json!(1), "On | cpu-affinity: invalid option: on");
        check(json!("sideways"), "On");
    }
}
