//! Lists of inputs: their place on the command line, their contents, and their combination.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};

use command::error::{CliError, io_text};
use command::flux::Flux;

use crate::limits::{BULK_INPUT_BYTES_MAX, BULK_JOBS_MAX};

/// The words of the command line: the command, and where inputs come from.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// The command, with fields to be replaced.
    pub command: Vec<String>,
    sources: Vec<Source>,
}

/// Source of a list.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    /// Gone through beside the other lists.
    is_linked: bool,
    from: From,
}

#[derive(Debug, PartialEq, Eq)]
enum From {
    Words(Vec<String>),
    /// A path, or `-` for standard input.
    File(String),
}

/// A list of inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    is_linked: bool,
    inputs: Vec<String>,
}

impl Words {
    /// Sorts the words by the delimiters among them.
    pub fn split(words: Vec<String>) -> Result<Words, CliError> {
        let mut parts = vec![(String::new(), Vec::new())];
        for word in words {
            match (word.as_str(), parts.last_mut()) {
                (":::" | "::::" | ":::+" | "::::+", _) => parts.push((word, Vec::new())),
                (_, Some((_, words))) => words.push(word),
                (_, None) => {}
            }
        }
        let mut parts = parts.into_iter();
        let command = parts.next().map(|(_, words)| words).unwrap_or_default();
        let sources = parts.map(|(delimiter, words)| Source::of(&delimiter, words));
        Ok(Words {
            // Each input is a command then.
            command: match command.is_empty() {
                true => vec!["{}".to_owned()],
                false => command,
            },
            sources: sources.collect::<Result<_, _>>()?,
        })
    }

    /// Reads the inputs, from standard input if nothing else is said.
    pub fn read(self, flux: &mut Flux, separator: &str) -> Result<Vec<List>, CliError> {
        let separator = Separator::parse(separator)?;
        let mut sources = self.sources;
        if sources.is_empty() {
            sources.push(Source {
                is_linked: false,
                from: From::File("-".to_owned()),
            });
        }
        let lists = sources.into_iter().map(|source| {
            let inputs = match source.from {
                From::Words(words) => words,
                From::File(path) => separator.split(&text_of(flux, &path)?),
            };
            Ok(List {
                is_linked: source.is_linked,
                inputs,
            })
        });
        lists.collect()
    }
}

impl Source {
    fn of(delimiter: &str, words: Vec<String>) -> Result<Source, CliError> {
        let from = match delimiter.starts_with("::::") {
            false => From::Words(words),
            true => match <[String; 1]>::try_from(words) {
                Ok([path]) => From::File(path),
                Err(words) if words.is_empty() => {
                    return Err(CliError::new("A file is missing after ::::"));
                }
                Err(_) => return Err(CliError::new("Multiple args not allowed after ::::")),
            },
        };
        Ok(Source {
            is_linked: delimiter.ends_with('+'),
            from,
        })
    }
}

fn text_of(flux: &mut Flux, path: &str) -> Result<String, CliError> {
    let about = |error: io::Error| CliError::new(format!("{}: '{path}'", io_text(&error)));
    let mut bytes = Vec::new();
    let max = BULK_INPUT_BYTES_MAX;
    match path {
        "-" => (&mut flux.input).take(max + 1).read_to_end(&mut bytes)?,
        path => {
            let file = File::open(path).map_err(about)?;
            file.take(max + 1).read_to_end(&mut bytes).map_err(about)?
        }
    };
    if bytes.len() as u64 > max {
        return Err(CliError::new(format!(
            "{path}: more than {max} bytes of input"
        )));
    }
    String::from_utf8(bytes).map_err(|_| CliError::new(format!("{path}: input is not UTF-8")))
}

/// Separator of inputs in a file.
#[derive(Debug, PartialEq, Eq)]
enum Separator {
    Blanks,
    Text(String),
}

impl Separator {
    fn parse(text: &str) -> Result<Separator, CliError> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Separator::Blanks);
        }
        let mut separator = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let escaped = match c {
                '\\' => chars.next(),
                c => {
                    separator.push(c);
                    continue;
                }
            };
            match escaped {
                Some('n') => separator.push('\n'),
                Some('t') => separator.push('\t'),
                Some('r') => separator.push('\r'),
                Some('0') => separator.push('\0'),
                Some('\\') | None => separator.push('\\'),
                Some(other) => separator.extend(['\\', other]),
            }
        }
        match separator.is_empty() {
            true => Err(CliError::new("--sep: empty separator")),
            false => Ok(Separator::Text(separator)),
        }
    }

    fn split(&self, text: &str) -> Vec<String> {
        let inputs: Box<dyn Iterator<Item = &str>> = match self {
            Separator::Blanks => Box::new(text.split_whitespace()),
            Separator::Text(separator) => {
                // A file ends with a newline regardless of the separator.
                let text = text.strip_suffix('\n').unwrap_or(text);
                Box::new(text.split(separator.as_str()))
            }
        };
        let inputs = inputs.filter(|input| !input.is_empty());
        inputs.map(str::to_owned).collect()
    }
}

/// Every combination of inputs, by number.
#[derive(Debug)]
pub struct Combinations {
    lists: Vec<List>,
    count: u64,
    /// In which order they come, if that is not that of the numbers.
    order: Option<Vec<u64>>,
}

impl Combinations {
    /// The first list changes slowest; linked lists go along.
    pub fn new(mut lists: Vec<List>) -> Result<Combinations, CliError> {
        // A list that is linked to none is one like others.
        if let Some(first) = lists.first_mut() {
            first.is_linked = false;
        }
        let has_empty = lists.iter().any(|list| list.inputs.is_empty());
        let counts = lists.iter().filter(|list| !list.is_linked);
        let count = counts.fold(1u64, |count, list| {
            count.saturating_mul(list.inputs.len() as u64)
        });
        if has_empty {
            return Err(CliError::new("no jobs provided for bulk submission"));
        }
        if count > BULK_JOBS_MAX {
            return Err(CliError::new(format!("more than {BULK_JOBS_MAX} jobs")));
        }
        Ok(Combinations {
            lists,
            count,
            order: None,
        })
    }

    /// Number of inputs.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// From now on they come in random order.
    pub fn shuffle(&mut self) {
        let mut order: Vec<u64> = (0..self.count).collect();
        fastrand::shuffle(&mut order);
        self.order = Some(order);
    }

    /// The number of the combination at a place, and an input of each list.
    pub fn at(&self, place: u64) -> (u64, Vec<&str>) {
        let number = match &self.order {
            Some(order) => usize::try_from(place).ok().and_then(|at| order.get(at)),
            None => None,
        };
        let number = number.copied().unwrap_or(place);
        let mut rest = number;
        let mut inputs: Vec<&str> = Vec::with_capacity(self.lists.len());
        for list in self.lists.iter().rev() {
            let count = list.inputs.len() as u64;
            let index = if list.is_linked {
                number % count
            } else {
                rest % count
            };
            if !list.is_linked {
                rest /= count;
            }
            let index = usize::try_from(index).unwrap_or(0);
            inputs.push(&list.inputs[index]);
        }
        inputs.reverse();
        (number, inputs)
    }

    /// The inputs of each list, each once.
    pub fn distinct(&self) -> Vec<Vec<&str>> {
        let inputs = self.lists.iter().map(|list| list.inputs.iter());
        let distinct = inputs.map(|inputs| inputs.map(String::as_str).collect::<BTreeSet<_>>());
        distinct
            .map(|inputs| inputs.into_iter().collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command and the inputs of all jobs of a line whose lists are given in words.
    fn check(line: &str, expect: &str) {
        let words = line.split(' ').map(str::to_owned).collect();
        let shown = |words: Words| -> Result<String, CliError> {
            let lists = words.sources.into_iter().map(|source| match source.from {
                From::Words(inputs) => List {
                    is_linked: source.is_linked,
                    inputs,
                },
                From::File(path) => List {
                    is_linked: source.is_linked,
                    inputs: vec![format!("<{path}>")],
                },
            });
            let all = Combinations::new(lists.collect())?;
            let jobs = (0..all.len()).map(|place| all.at(place).1.join(""));
            let jobs: Vec<String> = jobs.collect();
            Ok(format!("{}: {}", words.command.join(" "), jobs.join(" ")))
        };
        let outcome = Words::split(words).and_then(shown);
        let outcome = outcome.unwrap_or_else(|error| error.text().to_owned());
        assert_eq!(outcome, expect, "{line}");
    }

    #[test]
    fn lists_are_combined_or_linked() {
        check("echo {} ::: 1 2 3", "echo {}: 1 2 3");
        check("x ::: 1 2 ::: a b", "x: 1a 1b 2a 2b");
        check("x ::: 1 2 :::+ a b", "x: 1a 2b");
        check("x ::: 1 2 3 :::+ a b", "x: 1a 2b 3a");
        check("x ::: 1 :::+ a b", "x: 1a");
        check("x ::: 1 2 ::: a b :::+ x y z", "x: 1ax 1by 2az 2bx");
        check("x :::+ 1 2", "x: 1 2");
        check("x :::: f ::: 1 2", "x: <f>1 <f>2");
        check("::: 1 2", "{}: 1 2");
    }

    #[test]
    fn lists_that_make_no_jobs_are_refused() {
        check("x ::: 1 ::: ", "x: 1");
        check("x ::: 1 :::", "no jobs provided for bulk submission");
        check("x :::: a b", "Multiple args not allowed after ::::");
        check("x ::::+ a b", "Multiple args not allowed after ::::");
        check("x ::::", "A file is missing after ::::");
        let list = List {
            is_linked: false,
            inputs: vec![String::new(); 1000],
        };
        let many = Combinations::new(vec![list; 3]).unwrap_err();
        assert_eq!(many.text(), "more than 10000000 jobs");
    }

    #[test]
    fn separators_may_be_any_text() {
        for (separator, text, expect) in [
            ("\\n", "a b\n\nc\n", &["a b", "c"][..]),
            ("none", " a b\n\tc\n", &["a", "b", "c"]),
            ("None", "a b", &["a", "b"]),
            (",", "a,b c,\n", &["a", "b c"]),
            ("\\t", "a\tb\n", &["a", "b"]),
            ("\\0", "a\nb\0c\0", &["a\nb", "c"]),
            ("::", "a::b:c", &["a", "b:c"]),
        ] {
            let inputs = Separator::parse(separator).unwrap().split(text);
            assert_eq!(inputs, expect, "{separator}");
        }
        let empty = Separator::parse("").unwrap_err();
        assert_eq!(empty.text(), "--sep: empty separator");
    }

    #[test]
    fn a_shuffled_order_has_every_job_once() {
        let inputs = (0..100).map(|input| input.to_string()).collect();
        let list = List {
            is_linked: false,
            inputs,
        };
        let mut all = Combinations::new(vec![list]).unwrap();
        all.shuffle();
        let numbers = (0..100).map(|place| all.at(place).0);
        let numbers: BTreeSet<u64> = numbers.collect();
        assert_eq!(numbers, (0..100).collect());
    }
}
