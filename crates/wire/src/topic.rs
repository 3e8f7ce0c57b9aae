//! Topic strings: which service one names, and what a subscription matches.

/// The service that a request with `topic` is for: everything before the first
/// dot, or all of it (protocol/01 section 2).
pub fn service_of(topic: &str) -> &str {
    topic.split_once('.').map_or(topic, |(service, _)| service)
}

/// Text after the service name, empty when there is none.
pub fn method_of(topic: &str) -> &str {
    topic.split_once('.').map_or("", |(_, method)| method)
}

/// Topic of the disconnect message that answers for requests of `topic`: the
/// topic up to its last dot, then `disconnect` (protocol/01 section 6.2).
pub fn disconnect_of(topic: &str) -> String {
    match topic.rsplit_once('.') {
        Some((head, _)) => format!("{head}.disconnect"),
        None => "disconnect".to_owned(),
    }
}

/// True if a subscription, which is a plain prefix, matches `topic`.
pub fn subscription_matches(subscription: &str, topic: &str) -> bool {
    topic.starts_with(subscription)
}

/// True if the shell glob `pattern` matches `topic`; `*` also matches dots (protocol/01
/// section 7.4). `[` classes take ranges and a leading `!`.
pub fn glob_matches(pattern: &str, topic: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let topic: Vec<char> = topic.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < topic.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p + 1, t));
            p += 1;
        } else if let Some(used) = match_one(&pattern[p..], topic[t]) {
            p += used;
            t += 1;
        } else if let Some((after_star, from)) = retry {
            retry = Some((after_star, from + 1));
            p = after_star;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Number of pattern characters that match `c`, or `None`.
fn match_one(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match_class(pattern, c),
        literal => (*literal == c).then_some(1),
    }
}

fn match_class(pattern: &[char], c: char) -> Option<usize> {
    let close = pattern.iter().skip(2).position(|p| *p == ']')? + 2;
    let negate = pattern[1] == '!';
    let class = &pattern[1 + usize::from(negate)..close];
    let mut found = false;
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            found |= (class[at]..=class[at + 2]).contains(&c);
            at += 3;
        } else {
            found |= class[at] == c;
            at += 1;
        }
    }
    (found != negate).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_is_everything_before_the_first_dot() {
        assert_eq!(service_of("kvs.lookup"), "kvs");
        assert_eq!(service_of("a.b.c"), "a");
        assert_eq!(service_of("bare"), "bare");
    }

    #[test]
    fn disconnect_replaces_the_last_word() {
        assert_eq!(disconnect_of("kvs-watch.lookup"), "kvs-watch.disconnect");
        assert_eq!(disconnect_of("a.b.c"), "a.b.disconnect");
        assert_eq!(disconnect_of("bare"), "disconnect");
    }

    #[test]
    fn subscriptions_are_prefixes_not_globs() {
        for topic in ["foo", "foobar", "foo.bar"] {
            assert!(subscription_matches("foo", topic));
        }
        assert!(subscription_matches("", "anything"));
        assert!(!subscription_matches("foo*", "foobar"));
    }

    #[test]
    fn globs_match_across_dots() {
        let check = |pattern, topic, want| assert_eq!(glob_matches(pattern, topic), want);
        check("kvs.*", "kvs.lookup", true);
        check("*", "", true);
        check("a*c", "a.b.c", true);
        check("a?c", "abc", true);
        check("a[b-d]e", "ace", true);
        check("a[!b]c", "abc", false);
        check("kvs.*", "kvs", false);
    }
}
