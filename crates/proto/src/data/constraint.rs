//! Job constraints (RFC 31): the ranks that a job may run on.
//!
//! Contains the parsed object and the match. The texts of its errors are shown to submitters.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::hostlist::Hostlist;
use super::idset::IdSet;
use super::limits::{CONSTRAINT_DEPTH_MAX, CONSTRAINT_TERMS_MAX, HOSTS_MAX};
use super::rset::InvalidProperty;

/// A parsed constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// Every one of these properties, or none of those marked `^`.
    Properties(Vec<Property>),
    /// One of these hosts.
    Hosts(BTreeSet<Box<str>>),
    /// One of these ranks.
    Ranks(IdSet),
    /// Not all of these. Without any, nothing matches.
    Not(Vec<Constraint>),
    /// All of these. Without any, everything matches.
    And(Vec<Constraint>),
    /// One of these. Without any, everything matches.
    Or(Vec<Constraint>),
}

/// A property that a rank must have, or must not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Name without `^`.
    pub name: Box<str>,
    /// True if the rank must not have it.
    pub is_negated: bool,
}

/// The nodes that a constraint is matched against, as sets of ranks.
pub trait Universe {
    /// All of them.
    fn all(&self) -> &IdSet;
    /// Ranks on a host.
    fn on_host(&self, host: &str) -> Option<&IdSet>;
    /// Ranks with a property.
    fn with_property(&self, name: &str) -> Option<&IdSet>;
}

/// Errors of parsing a constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// Not an object.
    #[error("constraints must be a mapping")]
    NotAnObject,
    /// More than one operator in one object.
    #[error("constraints must have one operator each")]
    SeveralOperators,
    /// The value of the operator is not an array.
    #[error("argument to constraint {0} must be a sequence")]
    NotASequence(String),
    /// No such operator.
    #[error("unknown constraint operator '{0}'")]
    Operator(String),
    /// A property is not a string or has a character of the query syntax.
    #[error("invalid character in property '{0}'")]
    Property(String),
    /// A host list is malformed.
    #[error("host constraint contains invalid hosts: {0}")]
    Hosts(String),
    /// An idset of ranks is malformed.
    #[error("ranks constraint contains invalid ranks: {0}")]
    Ranks(String),
    /// Nested deeper than `CONSTRAINT_DEPTH_MAX`.
    #[error("constraints are nested too deep")]
    TooDeep,
    /// More operators and values than `CONSTRAINT_TERMS_MAX`.
    #[error("constraints have more than {CONSTRAINT_TERMS_MAX} operators and values")]
    TooLong,
    /// More hosts than the limit.
    #[error("host constraints name more than {HOSTS_MAX} hosts")]
    TooManyHosts,
}

/// Number of terms and hosts that may still be read.
struct Room {
    terms: usize,
    hosts: usize,
}

impl Room {
    fn take_terms(&mut self, n: usize) -> Result<(), ConstraintError> {
        self.terms = self.terms.checked_sub(n).ok_or(ConstraintError::TooLong)?;
        Ok(())
    }

    fn take_hosts(&mut self, n: usize) -> Result<(), ConstraintError> {
        let left = self.hosts.checked_sub(n);
        self.hosts = left.ok_or(ConstraintError::TooManyHosts)?;
        Ok(())
    }
}

impl From<InvalidProperty> for ConstraintError {
    fn from(InvalidProperty(name): InvalidProperty) -> Self {
        Self::Property(name)
    }
}

/// Characters that a property in a constraint may not have. `!` is allowed here.
const FORBIDDEN: &[char] = &['&', '\'', '"', '^', '`', '|', '(', ')'];

impl Constraint {
    /// Matches every rank.
    pub const ANY: Constraint = Constraint::And(Vec::new());

    /// Reads the object under `attributes.system.constraints`.
    pub fn parse(value: &Value) -> Result<Self, ConstraintError> {
        let mut room = Room {
            terms: CONSTRAINT_TERMS_MAX,
            hosts: HOSTS_MAX,
        };
        parse_at(value, 0, &mut room)
    }

    #[cfg(test)]
    /// True if a rank on `host`, with the properties for which `has_property` is true, matches.
    pub fn matches(&self, rank: u32, host: &str, has_property: &dyn Fn(&str) -> bool) -> bool {
        let holds = |inner: &Constraint| inner.matches(rank, host, has_property);
        match self {
            Self::Properties(all) => all
                .iter()
                .all(|property| has_property(&property.name) != property.is_negated),
            Self::Hosts(hosts) => hosts.contains(host),
            Self::Ranks(ranks) => ranks.contains(rank),
            Self::Not(all) => !all.iter().all(holds),
            Self::And(all) => all.iter().all(holds),
            Self::Or(any) => any.is_empty() || any.iter().any(holds),
        }
    }

    /// The ranks that match, at the cost of the constraint's length and not of the number of
    /// ranks.
    pub fn ranks(&self, nodes: &impl Universe) -> IdSet {
        let all = nodes.all();
        let each = |inner: &Constraint| inner.ranks(nodes);
        let in_all = |these: &[Constraint]| -> IdSet {
            these
                .iter()
                .fold(all.clone(), |left, inner| left.intersection(&each(inner)))
        };
        match self {
            Self::Properties(these) => these.iter().fold(all.clone(), |left, property| {
                let with = nodes.with_property(&property.name);
                match (with, property.is_negated) {
                    (Some(with), true) => left.difference(with),
                    (Some(with), false) => left.intersection(with),
                    (None, true) => left,
                    (None, false) => IdSet::new(),
                }
            }),
            Self::Hosts(hosts) => {
                let on = hosts.iter().filter_map(|host| nodes.on_host(host));
                on.flat_map(IdSet::iter).collect()
            }
            Self::Ranks(ranks) => ranks.intersection(all),
            Self::Not(these) => all.difference(&in_all(these)),
            Self::And(these) => in_all(these),
            Self::Or(these) if these.is_empty() => all.clone(),
            Self::Or(these) => {
                let any = IdSet::new();
                these.iter().fold(any, |any, inner| any.union(&each(inner)))
            }
        }
    }

    /// True if every rank matches without a check: `{}` and empty `and`, `or`, `properties`.
    pub fn is_any(&self) -> bool {
        match self {
            Self::And(all) => all.iter().all(Self::is_any),
            Self::Or(any) => any.is_empty() || any.iter().any(Self::is_any),
            Self::Properties(all) => all.is_empty(),
            Self::Hosts(_) | Self::Ranks(_) | Self::Not(_) => false,
        }
    }
}

fn parse_at(value: &Value, depth: usize, room: &mut Room) -> Result<Constraint, ConstraintError> {
    if depth > CONSTRAINT_DEPTH_MAX {
        return Err(ConstraintError::TooDeep);
    }
    let object = value.as_object().ok_or(ConstraintError::NotAnObject)?;
    let Some((operator, values)) = only_entry(object)? else {
        return Ok(Constraint::ANY);
    };
    let is_known = matches!(
        operator.as_str(),
        "properties" | "hostlist" | "ranks" | "not" | "and" | "or"
    );
    if !is_known {
        return Err(ConstraintError::Operator(operator.clone()));
    }
    let values = values
        .as_array()
        .ok_or_else(|| ConstraintError::NotASequence(operator.clone()))?;
    room.take_terms(values.len() + 1)?;
    let mut inner = || {
        values
            .iter()
            .map(|value| parse_at(value, depth + 1, room))
            .collect::<Result<Vec<_>, _>>()
    };
    match operator.as_str() {
        "properties" => parse_properties(values),
        "hostlist" => parse_hosts(values, room),
        "ranks" => parse_ranks(values),
        "not" => inner().map(Constraint::Not),
        "and" => inner().map(Constraint::And),
        _ => inner().map(Constraint::Or),
    }
}

fn only_entry(object: &Map<String, Value>) -> Result<Option<(&String, &Value)>, ConstraintError> {
    if object.len() > 1 {
        return Err(ConstraintError::SeveralOperators);
    }
    Ok(object.iter().next())
}

fn parse_properties(values: &[Value]) -> Result<Constraint, ConstraintError> {
    let parse = |value: &Value| {
        let text = value
            .as_str()
            .ok_or_else(|| ConstraintError::Property(value.to_string()))?;
        let name = text.strip_prefix('^').unwrap_or(text);
        if name.contains(FORBIDDEN) {
            return Err(ConstraintError::Property(text.to_owned()));
        }
        Ok(Property {
            name: name.into(),
            is_negated: name.len() < text.len(),
        })
    };
    values
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .map(Constraint::Properties)
}

fn parse_hosts(values: &[Value], room: &mut Room) -> Result<Constraint, ConstraintError> {
    let mut hosts = BTreeSet::new();
    for value in values {
        let text = value
            .as_str()
            .ok_or_else(|| ConstraintError::Hosts(value.to_string()))?;
        let list: Hostlist = text
            .parse()
            .map_err(|_| ConstraintError::Hosts(text.to_owned()))?;
        room.take_hosts(list.len())?;
        hosts.extend(list.iter().map(Box::from));
    }
    Ok(Constraint::Hosts(hosts))
}

fn parse_ranks(values: &[Value]) -> Result<Constraint, ConstraintError> {
    let mut ranks = IdSet::new();
    for value in values {
        let text = value
            .as_str()
            .ok_or_else(|| ConstraintError::Ranks(value.to_string()))?;
        let more: IdSet = text
            .parse()
            .map_err(|error| ConstraintError::Ranks(format!("{error}")))?;
        ranks.add(&more);
    }
    Ok(Constraint::Ranks(ranks))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The ranks 0 to 3 by host and property.
    struct Four([IdSet; 6]);

    impl Universe for Four {
        fn all(&self) -> &IdSet {
            &self.0[4]
        }

        fn on_host(&self, host: &str) -> Option<&IdSet> {
            let rank = host.strip_prefix('n')?.parse::<usize>().ok()?;
            self.0[..4].get(rank)
        }

        fn with_property(&self, name: &str) -> Option<&IdSet> {
            match name {
                "fast" => Some(&self.0[5]),
                "big" => Some(&self.0[2]),
                _ => None,
            }
        }
    }

    /// The ranks 0 to 3 that match; host names are `n0` to `n3`; rank 1 is `fast`, 2 also `big`.
    fn check(constraint: Value, expect: &str) {
        let outcome = match Constraint::parse(&constraint) {
            Err(error) => error.to_string(),
            Ok(parsed) => {
                let matches = |rank: &u32| {
                    let has = |name: &str| match rank {
                        1 => name == "fast",
                        2 => name == "fast" || name == "big",
                        _ => false,
                    };
                    parsed.matches(*rank, &format!("n{rank}"), &has)
                };
                let one_by_one: IdSet = (0..4).filter(matches).collect();
                let sets = ["0", "1", "2", "3", "0-3", "1-2"];
                let four = Four(sets.map(|text| text.parse().unwrap()));
                assert_eq!(parsed.ranks(&four), one_by_one, "{constraint}");
                one_by_one.to_string()
            }
        };
        assert_eq!(outcome, expect, "{constraint}");
    }

    #[test]
    fn constraints_choose_ranks() {
        check(json!({}), "0-3");
        check(json!({"and": []}), "0-3");
        check(json!({"or": []}), "0-3");
        check(json!({"not": []}), "");
        check(json!({"properties": []}), "0-3");
        check(json!({"properties": ["fast"]}), "1-2");
        check(json!({"properties": ["fast", "^big"]}), "1");
        check(json!({"properties": ["^fast"]}), "0,3");
        check(json!({"hostlist": ["n[0-1]", "n3"]}), "0-1,3");
        check(json!({"hostlist": []}), "");
        check(json!({"ranks": ["0-1", "3"]}), "0-1,3");
        check(
            json!({"not": [{"properties": ["fast"]}, {"ranks": ["1"]}]}),
            "0,2-3",
        );
        check(
            json!({"and": [{"properties": ["fast"]}, {"ranks": ["2-3"]}]}),
            "2",
        );
        check(
            json!({"or": [{"properties": ["big"]}, {"hostlist": ["n0"]}]}),
            "0,2",
        );
    }

    #[test]
    fn bad_constraints_are_refused_with_the_reason() {
        check(json!([]), "constraints must be a mapping");
        check(json!({"and": [1]}), "constraints must be a mapping");
        check(
            json!({"and": {}}),
            "argument to constraint and must be a sequence",
        );
        check(
            json!({"properties": "x"}),
            "argument to constraint properties must be a sequence",
        );
        check(json!({"foo": []}), "unknown constraint operator 'foo'");
        check(
            json!({"and": [], "or": []}),
            "constraints must have one operator each",
        );
        check(
            json!({"properties": ["a|b"]}),
            "invalid character in property 'a|b'",
        );
        check(
            json!({"properties": ["^^a"]}),
            "invalid character in property '^^a'",
        );
        check(
            json!({"properties": [1]}),
            "invalid character in property '1'",
        );
        check(
            json!({"hostlist": ["n["]}),
            "host constraint contains invalid hosts: n[",
        );
        check(
            json!({"ranks": ["1-0"]}),
            "ranks constraint contains invalid ranks: range '1-0' is out of order",
        );
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = (0..=CONSTRAINT_DEPTH_MAX).fold(json!({}), |inner, _| json!({"not": [inner]}));
        check(deep, "constraints are nested too deep");
    }

    #[test]
    fn no_constraint_costs_more_than_its_bound() {
        let many = |value: Value| vec![value; CONSTRAINT_TERMS_MAX];
        for long in [
            json!({"or": many(json!({"not": []}))}),
            json!({"and": [{"properties": many(json!("^x"))}]}),
            json!({"ranks": many(json!("0"))}),
        ] {
            let outcome = Constraint::parse(&long);
            assert_eq!(outcome, Err(ConstraintError::TooLong));
        }
        let all = |name: &str| json!(format!("{name}[1-{HOSTS_MAX}]"));
        check(json!({"hostlist": [all("n")]}), "1-3");
        check(
            json!({"hostlist": [all("n"), "m"]}),
            "host constraints name more than 131072 hosts",
        );
    }

    #[test]
    fn constraints_without_effect_are_seen() {
        for (value, any) in [
            (json!({}), true),
            (json!({"and": [{"or": []}, {"properties": []}]}), true),
            (json!({"not": []}), false),
            (json!({"properties": ["x"]}), false),
        ] {
            assert_eq!(Constraint::parse(&value).unwrap().is_any(), any, "{value}");
        }
    }
}
