//! The constraint query syntax (RFC 35): short texts that become RFC 31 objects.
//!
//! Contains the grammar; the tokenizer is in `token.rs`. A blank between terms is AND with
//! everything parsed so far at that level: `a|b c` is `(a|b)&c`.

mod token;

use serde_json::{Map, Value, json};

use super::limits::{CONSTRAINT_DEPTH_MAX, QUERY_BYTES_MAX};
use token::{Kind, Token, Tokens};

/// Operators of a query language, and the meaning of a term without one.
#[derive(Debug, Clone, Copy)]
pub struct Dialect<'a> {
    /// Default operator of a term; without it every term needs one.
    pub default_operator: Option<&'a str>,
    /// Aliases of operator names, with the operators.
    pub aliases: &'a [(&'a str, &'a str)],
    /// Operators whose operands are split at commas, and whose ANDed terms are merged.
    pub lists: &'a [&'a str],
}

/// The dialect of `--requires`.
pub const REQUIRES: Dialect<'static> = Dialect {
    default_operator: Some("properties"),
    aliases: &[
        ("host", "hostlist"),
        ("hosts", "hostlist"),
        ("rank", "ranks"),
    ],
    lists: &["properties"],
};

/// Errors of parsing a query. Positions count characters from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A term has no operator and the dialect no default.
    #[error("Missing required operator in \"{0}\"")]
    MissingOperator(String),
    /// An operator has an invalid character.
    #[error("invalid character '{character}' in operator '{operator}:'")]
    OperatorCharacter {
        /// The first bad character.
        character: char,
        /// The operator without its colon.
        operator: String,
    },
    /// A parenthesis is not closed.
    #[error("Unclosed parenthesis in position {0}")]
    UnclosedParenthesis(usize),
    /// The query ends where a term is expected.
    #[error("Unexpected end of input in '{0}'")]
    UnexpectedEnd(String),
    /// A token is not allowed at its position.
    #[error("Invalid token '{token}' at position {position}")]
    InvalidToken {
        /// Token found there.
        token: String,
        /// Position in the query.
        position: usize,
    },
    /// An operator without an operand.
    #[error("Missing argument to token '{0}'")]
    MissingArgument(String),
    /// Longer than `QUERY_BYTES_MAX`.
    #[error("query is longer than {QUERY_BYTES_MAX} bytes")]
    TooLong,
    /// Parentheses or negations nested deeper than `CONSTRAINT_DEPTH_MAX`.
    #[error("query is nested too deep")]
    TooDeep,
}

/// Reads a query as an RFC 31 object.
pub fn parse_query(query: &str, dialect: &Dialect<'_>) -> Result<Value, QueryError> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(QueryError::TooLong);
    }
    let tokens = Tokens::new(query)?;
    let mut parser = Parser {
        query,
        dialect,
        tokens,
        open: Vec::new(),
        depth: 0,
    };
    let value = parser.level()?;
    match parser.tokens.next() {
        None => Ok(value),
        Some(token) => Err(invalid(&token)),
    }
}

struct Parser<'a> {
    query: &'a str,
    dialect: &'a Dialect<'a>,
    tokens: Tokens,
    /// Positions of the parentheses that are open.
    open: Vec<usize>,
    depth: usize,
}

impl Parser<'_> {
    /// Parses everything up to the end or the closing parenthesis.
    fn level(&mut self) -> Result<Value, QueryError> {
        let mut left = self.operand()?;
        loop {
            match self.tokens.peek_kind() {
                Some(Kind::And) => {
                    self.tokens.next();
                    let right = self.operand()?;
                    left = self.and(left, right);
                }
                Some(Kind::Or) => {
                    self.tokens.next();
                    let right = self.and_chain()?;
                    left = chain("or", left, right);
                }
                Some(Kind::Term | Kind::Not | Kind::Minus | Kind::Open) => {
                    let right = self.operand()?;
                    left = self.and(left, right);
                }
                Some(Kind::Close) | None => return Ok(left),
            }
        }
    }

    /// Operands joined by explicit ANDs, which bind tighter than the OR before them.
    fn and_chain(&mut self) -> Result<Value, QueryError> {
        let mut left = self.operand()?;
        while self.tokens.peek_kind() == Some(Kind::And) {
            self.tokens.next();
            let right = self.operand()?;
            left = self.and(left, right);
        }
        Ok(left)
    }

    /// One term, negation or parenthesis.
    fn operand(&mut self) -> Result<Value, QueryError> {
        let Some(token) = self.tokens.next() else {
            return Err(self.end_of_input());
        };
        if self.depth > CONSTRAINT_DEPTH_MAX {
            return Err(QueryError::TooDeep);
        }
        self.depth += 1;
        let value = match token.kind {
            Kind::Term => self.term(&token)?,
            Kind::Not => json!({ "not": [self.operand()?] }),
            Kind::Minus => match self.tokens.next() {
                Some(token) if token.kind == Kind::Term => json!({ "not": [self.term(&token)?] }),
                Some(token) => return Err(invalid(&token)),
                None => return Err(self.end_of_input()),
            },
            Kind::Open => {
                self.open.push(token.position);
                let value = self.level()?;
                if self.tokens.next().is_none() {
                    return Err(self.end_of_input());
                }
                self.open.pop();
                value
            }
            Kind::And | Kind::Or | Kind::Close => return Err(invalid(&token)),
        };
        self.depth -= 1;
        Ok(value)
    }

    fn term(&self, token: &Token) -> Result<Value, QueryError> {
        let (operator, operand) = match &token.operator {
            Some(operator) => (operator.as_str(), token.operand.as_str()),
            None => match self.dialect.default_operator {
                Some(operator) => (operator, token.operand.as_str()),
                None => return Err(QueryError::MissingOperator(token.text.clone())),
            },
        };
        if let Some(character) = operator.chars().find(|c| !is_operator_character(*c)) {
            let operator = operator.to_owned();
            return Err(QueryError::OperatorCharacter {
                character,
                operator,
            });
        }
        if operand.is_empty() && !token.is_quoted {
            return Err(QueryError::MissingArgument(token.text.clone()));
        }
        let alias = self
            .dialect
            .aliases
            .iter()
            .find(|(alias, _)| *alias == operator);
        let operator = alias.map_or(operator, |(_, meaning)| meaning);
        let operands: Vec<&str> = if self.dialect.lists.contains(&operator) {
            operand.split(',').collect()
        } else {
            vec![operand]
        };
        Ok(json!({ operator: operands }))
    }

    fn and(&self, left: Value, right: Value) -> Value {
        match self.merged(&left, &right) {
            Some(merged) => merged,
            None => chain("and", left, right),
        }
    }

    /// Two terms of one list operator as a single term.
    fn merged(&self, left: &Value, right: &Value) -> Option<Value> {
        let (operator, left) = only_entry(left)?;
        let (same, right) = only_entry(right)?;
        let is_list = operator == same && self.dialect.lists.contains(&operator.as_str());
        let both = Value::Array([left.as_slice(), right.as_slice()].concat());
        is_list.then(|| Value::Object(Map::from_iter([(operator.clone(), both)])))
    }

    fn end_of_input(&self) -> QueryError {
        match self.open.last() {
            Some(position) => QueryError::UnclosedParenthesis(*position),
            None => QueryError::UnexpectedEnd(self.query.to_owned()),
        }
    }
}

/// `left` and `right` under `operator`; a chain of one operator becomes one array.
fn chain(operator: &str, mut left: Value, right: Value) -> Value {
    if let Some(Value::Array(all)) = left.get_mut(operator) {
        all.push(right);
        return left;
    }
    let mut object = Map::new();
    object.insert(operator.to_owned(), Value::Array(vec![left, right]));
    Value::Object(object)
}

fn only_entry(value: &Value) -> Option<(&String, &Vec<Value>)> {
    let (operator, operands) = value.as_object()?.iter().next()?;
    Some((operator, operands.as_array()?))
}

fn is_operator_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.+@-".contains(c)
}

fn invalid(token: &Token) -> QueryError {
    QueryError::InvalidToken {
        token: token.text.clone(),
        position: token.position,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: Dialect<'static> = Dialect {
        default_operator: Some("name"),
        aliases: &[],
        lists: &[],
    };

    fn parse(query: &str, dialect: &Dialect<'_>) -> String {
        parse_query(query, dialect).map_or_else(|error| error.to_string(), |v| v.to_string())
    }

    /// Like `parse`, with `{"name":["x"]}` shortened to `x`.
    fn check(query: &str, expect: &str) {
        let outcome = parse(query, &NAMES)
            .replace(r#"{"name":[""#, "")
            .replace(r#""]}"#, "");
        assert_eq!(outcome, expect, "{query}");
    }

    #[test]
    fn the_examples_of_the_rfc_hold() {
        check("foo", "foo");
        check("foo bar", r#"{"and":[foo,bar]}"#);
        check(
            "foo bar state:started",
            r#"{"and":[foo,bar,{"state":["started]}"#,
        );
        check("a|b|c", r#"{"or":[a,b,c]}"#);
        check("a|b&c", r#"{"or":[a,{"and":[b,c]}]}"#);
        check("(a|b)&c", r#"{"and":[{"or":[a,b]},c]}"#);
        check("(a|-b)&c", r#"{"and":[{"or":[a,{"not":[b]}]},c]}"#);
    }

    #[test]
    fn a_blank_joins_with_everything_before_it() {
        check("a|b c", r#"{"and":[{"or":[a,b]},c]}"#);
        check("a b|c", r#"{"or":[{"and":[a,b]},c]}"#);
        check("a b c|d", r#"{"or":[{"and":[a,b,c]},d]}"#);
        check("a|b&c d", r#"{"and":[{"or":[a,{"and":[b,c]}]},d]}"#);
        check("a|b c|d", r#"{"or":[{"and":[{"or":[a,b]},c]},d]}"#);
        check("a|b c&d", r#"{"and":[{"or":[a,b]},c,d]}"#);
        check("not a b", r#"{"and":[{"not":[a]},b]}"#);
        check("(a|b)c", r#"{"and":[{"or":[a,b]},c]}"#);
        check("a (b c)", r#"{"and":[a,{"and":[b,c]}]}"#);
    }

    #[test]
    fn operators_have_words_and_signs() {
        check("a and b && c & d", r#"{"and":[a,b,c,d]}"#);
        check("a or b || c", r#"{"or":[a,b,c]}"#);
        check("not not a", r#"{"not":[{"not":[a]}]}"#);
        check(
            "android order nothing",
            r#"{"and":[android,order,nothing]}"#,
        );
        check("a-b", "a-b");
    }

    #[test]
    fn quotes_protect_operands() {
        check("'a b|c'", "a b|c");
        check("x:\"a (b)\"", r#"{"x":["a (b)"#);
        check("'x:y'", "x:y");
        check("x:''", r#"{"x":[""#);
    }

    #[test]
    fn requires_has_properties_hosts_and_ranks() {
        for (query, expect) in [
            ("foo bar", r#"{"properties":["foo","bar"]}"#),
            ("foo,bar", r#"{"properties":["foo","bar"]}"#),
            (
                "host:a hosts:b rank:0",
                r#"{"and":[{"hostlist":["a"]},{"hostlist":["b"]},{"ranks":["0"]}]}"#,
            ),
            (
                "foo,bar&host:x[1-2]|-baz rank:0",
                r#"{"and":[{"or":[{"and":[{"properties":["foo","bar"]},{"hostlist":["x[1-2]"]}]},{"not":[{"properties":["baz"]}]}]},{"ranks":["0"]}]}"#,
            ),
        ] {
            assert_eq!(parse(query, &REQUIRES), expect, "{query}");
        }
    }

    #[test]
    fn bad_queries_are_refused_with_the_reason() {
        check("", "Unexpected end of input in ''");
        check("a|", "Unexpected end of input in 'a|'");
        check("not", "Unexpected end of input in 'not'");
        check("a -", "Unexpected end of input in 'a -'");
        check("(a", "Unclosed parenthesis in position 0");
        check("x (a|(b", "Unclosed parenthesis in position 5");
        check("& a", "Invalid token '&' at position 0");
        check("a | or b", "Invalid token 'or' at position 4");
        check("a)", "Invalid token ')' at position 1");
        check("()", "Invalid token ')' at position 1");
        check("-(a)", "Invalid token '(' at position 1");
        check("--a", "Invalid token '-' at position 1");
        check("a 'b", "Invalid token ''b' at position 2");
        check("x: a", "Missing argument to token 'x:'");
        check("x^y:a", "invalid character '^' in operator 'x^y:'");
        let strict = Dialect {
            default_operator: None,
            aliases: &[],
            lists: &[],
        };
        assert_eq!(
            parse("a:1 b", &strict),
            "Missing required operator in \"b\""
        );
        check(&"(".repeat(100), "query is nested too deep");
        check(&"not ".repeat(100), "query is nested too deep");
    }

    proptest! {
        #[test]
        fn no_query_makes_the_parser_panic(query in "[ab:()&|'\" é\\-]{0,20}") {
            let _ = parse_query(&query, &REQUIRES);
        }

        #[test]
        fn a_query_becomes_a_constraint(query in "( a| b| rank:[01]|&|\\|){0,10}") {
            if let Ok(value) = parse_query(&query, &REQUIRES) {
                prop_assert!(crate::data::constraint::Constraint::parse(&value).is_ok(), "{value}");
            }
        }
    }
}
