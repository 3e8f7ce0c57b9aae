//! Allocation of a job, derived once from resources that many jobs get one after another.

use proto::data::Rset;
use proto::data::job::Given;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::SHAPES_MAX;
use crate::parts::{Part, Parts};

/// Cache of derived allocations.
#[derive(Debug, Default)]
pub struct GivenBefore {
    /// By the text of ranks and hosts. Never iterated.
    known: FxHashMap<Box<str>, Part>,
}

/// The parts of R that are listed, read in place.
#[derive(Deserialize)]
struct View<'a> {
    #[serde(borrow)]
    execution: ExecutionView<'a>,
}

#[derive(Deserialize)]
struct ExecutionView<'a> {
    #[serde(borrow, rename = "R_lite")]
    r_lite: &'a RawValue,
    #[serde(borrow, default)]
    nodelist: Option<&'a RawValue>,
    #[serde(default)]
    expiration: f64,
}

impl GivenBefore {
    /// Allocation and expiration in R with this text, or the error of reading it.
    pub fn of(&mut self, text: &str, parts: &mut Parts) -> Result<(Part, f64), String> {
        let view: View<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let execution = view.execution;
        let nodelist = execution.nodelist.map_or("", RawValue::get);
        let key = format!("{}\n{nodelist}", execution.r_lite.get());
        if let Some(known) = self.known.get(&*key) {
            return Ok((known.clone(), execution.expiration));
        }
        let set = Rset::decode(text).map_err(|error| error.to_string())?;
        let (ranks, nodelist) = (set.ranks().bracketed(), set.nodelist().to_string());
        let given = Given {
            ranks: &ranks,
            nodelist: &nodelist,
            nnodes: set.nnodes() as u64,
            ncores: set.ncores(),
        };
        let part = parts.get(&given.encode());
        if self.known.len() >= SHAPES_MAX {
            self.known.clear();
        }
        self.known.insert(key.into(), part.clone());
        Ok((part, set.expiration()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &mut GivenBefore, r_lite: &str, expiration: f64, expect: &str) {
        let text = format!(
            r#"{{"version":1,"execution":{{"R_lite":{r_lite},"nodelist":["a[0-1]"],"starttime":1.0,"expiration":{expiration:?}}}}}"#
        );
        let outcome = match before.of(&text, &mut Parts::default()) {
            Err(error) => error,
            Ok((part, expiration)) => {
                let given = Given::decode(&part).unwrap();
                format!(
                    "{} {} {} {} {expiration}",
                    given.ranks, given.nodelist, given.nnodes, given.ncores
                )
            }
        };
        assert!(outcome.starts_with(expect), "{outcome}");
    }

    #[test]
    fn like_resources_differ_in_their_end_only() {
        let mut before = GivenBefore::default();
        let two = r#"[{"rank":"2-3","children":{"core":"0-3"}}]"#;
        check(&mut before, two, 5.0, "[2-3] a[0-1] 2 8 5");
        check(&mut before, two, 6.0, "[2-3] a[0-1] 2 8 6");
        let apart =
            r#"[{"rank":"2","children":{"core":"0"}},{"rank":"9","children":{"core":"1"}}]"#;
        check(&mut before, apart, 0.0, "[2,9] a[0-1] 2 2 0");
        assert_eq!(before.known.len(), 2);
    }

    #[test]
    fn nonsense_is_refused_and_not_remembered() {
        let mut before = GivenBefore::default();
        check(&mut before, "7", 0.0, "malformed R: ");
        check(
            &mut before,
            r#"[{"rank":"0","children":{"core":"0"}}]"#,
            0.0,
            "R has 1 ranks",
        );
        assert!(before.known.is_empty());
    }
}
