//! What a job got, derived once from resources that many jobs get one after another.

use proto::data::Rset;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::job::Got;
use crate::limits::SHAPES_MAX;
use crate::words::Words;

/// What was derived before.
#[derive(Debug, Default)]
pub struct Gots {
    /// By the text of ranks and hosts. Never iterated.
    known: FxHashMap<Box<str>, Got>,
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

impl Gots {
    /// What R with this text says, or why it says nothing.
    pub fn of(&mut self, text: &str, words: &mut Words) -> Result<Got, String> {
        let view: View<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let execution = view.execution;
        let nodelist = execution.nodelist.map_or("", RawValue::get);
        let key = format!("{}\n{nodelist}", execution.r_lite.get());
        if let Some(known) = self.known.get(&*key) {
            let expiration = execution.expiration;
            return Ok(Got {
                expiration,
                ..known.clone()
            });
        }
        let set = Rset::decode(text).map_err(|error| error.to_string())?;
        let got = Got {
            ranks: words.get(&set.ranks().bracketed()),
            nodelist: words.get(&set.nodelist().to_string()),
            nnodes: set.nnodes() as u64,
            ncores: set.ncores(),
            expiration: set.expiration(),
        };
        if self.known.len() >= SHAPES_MAX {
            self.known.clear();
        }
        self.known.insert(key.into(), got.clone());
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(gots: &mut Gots, r_lite: &str, expiration: f64, expect: &str) {
        let text = format!(
            r#"{{"version":1,"execution":{{"R_lite":{r_lite},"nodelist":["a[0-1]"],"starttime":1.0,"expiration":{expiration:?}}}}}"#
        );
        let outcome = match gots.of(&text, &mut Words::default()) {
            Err(error) => error,
            Ok(got) => format!(
                "{} {} {} {} {}",
                got.ranks, got.nodelist, got.nnodes, got.ncores, got.expiration
            ),
        };
        assert!(outcome.starts_with(expect), "{outcome}");
    }

    #[test]
    fn like_resources_differ_in_their_end_only() {
        let mut gots = Gots::default();
        let two = r#"[{"rank":"2-3","children":{"core":"0-3"}}]"#;
        check(&mut gots, two, 5.0, "[2-3] a[0-1] 2 8 5");
        check(&mut gots, two, 6.0, "[2-3] a[0-1] 2 8 6");
        let apart =
            r#"[{"rank":"2","children":{"core":"0"}},{"rank":"9","children":{"core":"1"}}]"#;
        check(&mut gots, apart, 0.0, "[2,9] a[0-1] 2 2 0");
        assert_eq!(gots.known.len(), 2);
    }

    #[test]
    fn nonsense_is_refused_and_not_remembered() {
        let mut gots = Gots::default();
        check(&mut gots, "7", 0.0, "malformed R: ");
        check(
            &mut gots,
            r#"[{"rank":"0","children":{"core":"0"}}]"#,
            0.0,
            "R has 1 ranks",
        );
        assert!(gots.known.is_empty());
    }
}
