//! The environment of a process that a client starts (protocol/03 section 14).

use std::collections::BTreeMap;

/// Variables that describe the place of another process, and are wrong in this one.
const NOT_PASSED_ON: &[&str] = &["FLUX_PROXY_REMOTE", "NOTIFY_SOCKET", "INVOCATION_ID"];

/// The variables of a command that asks for `wanted`, or for those of the component
/// when that is empty, and those of `added` in any case. FLUX_URI is that of the broker which runs it, not of the client's.
pub(super) fn environment(
    wanted: BTreeMap<String, String>,
    added: BTreeMap<String, String>,
    of_broker: &BTreeMap<String, String>,
    uri: &str,
) -> Vec<(String, String)> {
    let mut env = if wanted.is_empty() {
        of_broker.clone()
    } else {
        wanted
    };
    env.extend(added);
    env.retain(|name, _| !NOT_PASSED_ON.contains(&name.as_str()));
    env.insert("FLUX_URI".to_owned(), uri.to_owned());
    env.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &[(&str, &str)], added: &[(&str, &str)], expect: &[&str]) {
        let map = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            pairs.collect::<BTreeMap<String, String>>()
        };
        let of_broker = map(&[("FLUX_URI", "up"), ("HOME", "/b"), ("NOTIFY_SOCKET", "n")]);
        let env = environment(map(wanted), map(added), &of_broker, "local:///here");
        let shown: Vec<String> = env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(shown, expect);
    }

    #[test]
    fn a_command_has_what_it_asked_for_and_speaks_to_the_broker_that_runs_it() {
        check(&[], &[], &["FLUX_URI=local:///here", "HOME=/b"]);
        check(
            &[
                ("FLUX_PROXY_REMOTE", "h"),
                ("INVOCATION_ID", "1"),
                ("A", "b"),
            ],
            &[],
            &["A=b", "FLUX_URI=local:///here"],
        );
        check(
            &[("FLUX_URI", "local:///there")],
            &[],
            &["FLUX_URI=local:///here"],
        );
    }

    #[test]
    fn variables_are_added_to_either_environment() {
        check(
            &[],
            &[("A", "b"), ("HOME", "/c")],
            &["A=b", "FLUX_URI=local:///here", "HOME=/c"],
        );
        check(
            &[("A", "b")],
            &[("A", "c")],
            &["A=c", "FLUX_URI=local:///here"],
        );
        let told = [("FLUX_URI", "local:///there"), ("NOTIFY_SOCKET", "n")];
        check(&[("A", "b")], &told, &["A=b", "FLUX_URI=local:///here"]);
    }
}
