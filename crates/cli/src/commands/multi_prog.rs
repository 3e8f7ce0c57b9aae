//! `flux multi-prog`: becomes another program in each task of a job, as a file says.

use std::ffi::{OsStr, OsString};

use command::entry::{Group, Run, Style};
use command::error::{CliError, numbered};
use command::flux::Flux;
use proto::data::IdSet;
use submission::directives::shell_words;

use crate::external;

/// Run a different program in each task of a job
///
/// Each line of the file has task ranks, or '*' for those that no other line has, and a
/// command, in which %t is the rank and %o the position of the rank in its line.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux run -n4 flux multi-prog my.conf
  flux multi-prog --dry-run=0-3 my.conf")]
pub struct MultiProg {
    /// Print the commands of these ranks without running them
    #[arg(short = 'n', long, value_name = "RANKS")]
    dry_run: Option<IdSet>,
    /// File that assigns programs to ranks
    config: String,
}

/// A line of the file.
#[derive(Debug)]
struct Line {
    /// The ranks; `None` for all others.
    ranks: Option<IdSet>,
    words: Vec<String>,
}

impl Run for MultiProg {
    const NAME: &'static str = "multi-prog";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let file = &self.config;
        let text = std::fs::read_to_string(file)
            .map_err(|error| CliError::new(format!("{}: '{file}'", numbered(&error))))?;
        let lines = parse(&text).map_err(|error| CliError::new(error).about(file))?;
        let words_of = |rank| {
            let none = || CliError::new(format!("{file}: No matching line for rank {rank}"));
            words_of(&lines, rank).ok_or_else(none)
        };
        if let Some(ranks) = &self.dry_run {
            for rank in ranks.iter() {
                let words: Vec<String> = words_of(rank)?.iter().map(|word| quote(word)).collect();
                flux.line(format_args!("{rank}: {}", words.join(" ")))?;
            }
            return Ok(());
        }
        let rank = flux
            .env
            .get("FLUX_TASK_RANK")
            .and_then(|rank| rank.parse().ok());
        let rank = rank.ok_or_else(|| CliError::new("FLUX_TASK_RANK not found or invalid"))?;
        let words = words_of(rank)?;
        let args: Vec<OsString> = words.iter().skip(1).map(OsString::from).collect();
        let program = words.first().map(OsStr::new).unwrap_or_default();
        Err(external::become_program(flux, program, &args))
    }
}

fn parse(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let about = |why: &str| format!("line {}: {why}", number + 1);
        let words = shell_words(line).map_err(|why| about(&format!("'{line}': {why}")))?;
        let mut words = words.into_iter();
        let Some(ranks) = words.next() else {
            continue;
        };
        let words: Vec<String> = words.collect();
        if words.is_empty() {
            return Err(about("no command"));
        }
        let ranks = match ranks.as_str() {
            "*" => None,
            text => {
                let parsed = text.parse::<IdSet>();
                Some(parsed.map_err(|_| about(&format!("invalid idset: {text}")))?)
            }
        };
        lines.push(Line { ranks, words });
    }
    Ok(lines)
}

/// Command of a task, with its rank and place filled in.
fn words_of(lines: &[Line], rank: u32) -> Option<Vec<String>> {
    let has_rank = |line: &&Line| {
        line.ranks
            .as_ref()
            .is_some_and(|ranks| ranks.contains(rank))
    };
    let others = || lines.iter().find(|line| line.ranks.is_none());
    let line = lines.iter().find(has_rank).or_else(others)?;
    let place = line.ranks.as_ref().map_or(0, |ranks| ranks.position(rank));
    let (rank, place) = (rank.to_string(), place.to_string());
    let fill = |word: &String| word.replace("%t", &rank).replace("%o", &place);
    Some(line.words.iter().map(fill).collect())
}

/// The word as a shell reads it.
fn quote(word: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    match !word.is_empty() && word.chars().all(is_safe) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r#"'"'"'"#)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, rank: u32, expect: Result<Option<&str>, &str>) {
        let found = parse(text).map(|lines| {
            let words = words_of(&lines, rank)?;
            Some(
                words
                    .iter()
                    .map(|word| quote(word))
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        });
        assert_eq!(
            found.as_ref().map(Option::as_deref).map_err(String::as_str),
            expect,
            "{rank} of {text}"
        );
    }

    #[test]
    fn a_task_runs_what_its_line_says() {
        let text =
            "# comment\n\n0-1,4 echo 'b c' %t %o # more\n4 never\n* other \"%t-%o\" it\\'s\n";
        check(text, 0, Ok(Some("echo 'b c' 0 0")));
        check(text, 4, Ok(Some("echo 'b c' 4 2")));
        check(text, 9, Ok(Some(r#"other 9-0 'it'"'"'s'"#)));
        check("* a\n1 b ''", 1, Ok(Some("b ''")));
        check("1 a", 0, Ok(None));
    }

    #[test]
    fn lines_that_make_no_sense_are_told_by_number() {
        check("zz a", 0, Err("line 1: invalid idset: zz"));
        check(
            "\n0 echo \"a",
            0,
            Err(r#"line 2: '0 echo "a': No closing quotation"#),
        );
        check("0", 0, Err("line 1: no command"));
    }
}
