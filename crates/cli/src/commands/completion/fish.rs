//! The values of an instance in the words of fish, which asks for each place by itself.

use std::fmt::Write as _;

use super::kinds::{Kind, Place, Word};

/// Asking for the values of a kind.
const VALUES: &str = "
function __flux_values
    switch $argv[1]
        case ids
            flux jobs -a -n -c 256 -o '{id.f58}'
        case active
            flux jobs -n -c 256 -o '{id.f58}'
        case queues
            flux queue status | string match -rg '^([^: ]+): ' | sort -u
        case modules
            flux module list | awk 'NR > 1 { print $1 }' | sort -u
        case keys
            set -l dir (string match -rg '^(.*)\\.[^.]*$' -- (commandline -ct))
            set -l names (flux kvs ls -1F $dir | string replace -r '@$' '')
            test -n \"$dir\"; and string replace -r '^' \"$dir.\" -- $names; or printf '%s\\n' $names
        case ranks
            seq 0 (math (flux getattr size) - 1)
        case attributes
            flux lsattr
    end 2>/dev/null
end

";

/// The script's end.
pub fn script(places: &[Place]) -> String {
    let mut script = VALUES.to_owned();
    for Place { path, word, kind } in places {
        if *kind == Kind::Other {
            continue;
        }
        let mut words = path.split(' ');
        let command = words.next().unwrap_or_default();
        let mut condition = format!("__fish_flux_using_subcommand {command}");
        for word in words {
            // Writing to a String does not fail.
            let _ = write!(condition, "; and __fish_seen_subcommand_from {word}");
        }
        let mut option = String::new();
        if let Word::Option(short, long) = word {
            if let Some(short) = short {
                let _ = write!(option, " -s {short}");
            }
            if let Some(long) = long {
                let _ = write!(option, " -l {long}");
            }
            option.push_str(" -r");
        }
        let _ = writeln!(
            script,
            "complete -c flux -n \"{condition}\"{option} -f -a \"(__flux_values {})\"",
            kind.name()
        );
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_a_line() {
        let place = |path: &str, word: Word, kind: Kind| Place {
            path: path.to_owned(),
            word,
            kind,
        };
        let places = [
            place("job kill", Word::Positional(1, true), Kind::Active),
            place(
                "jobs",
                Word::Option(Some('q'), Some("queue".to_owned())),
                Kind::Queues,
            ),
            place("jobs", Word::Option(Some('o'), None), Kind::Other),
        ];
        let expect = "complete -c flux -n \"__fish_flux_using_subcommand job; and \
            __fish_seen_subcommand_from kill\" -f -a \"(__flux_values active)\"\n\
            complete -c flux -n \"__fish_flux_using_subcommand jobs\" -s q -l queue -r -f -a \
            \"(__flux_values queues)\"\n";
        assert_eq!(script(&places).strip_prefix(VALUES), Some(expect));
    }
}
