//! Nothing can be set that nothing uses: each row of the tables of settings is read by
//! code outside of the table, or says that it is not.

use proto::attr::names::{self, CONFIG, MANY, OPEN, READONLY, UNSUPPORTED};
use proto::config::keys::{self, Status};
use proto::form::Form;

use super::uses::Sources;

fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n  {}\n", breaches.join("\n  "));
}

#[test]
fn every_attribute_is_used() {
    let sources = Sources::read();
    let mut breaches = Vec::new();
    for attr in names::ALL {
        if attr.is(UNSUPPORTED | OPEN | MANY) {
            continue;
        }
        // One that only the broker sets is there to be shown.
        if sources.users(attr.constant, attr.is(READONLY)).is_empty() {
            let (name, constant) = (attr.name, attr.constant);
            breaches.push(format!(
                "attribute {name}: no code reads {constant}; use it, or mark it UNSUPPORTED"
            ));
        }
    }
    assert_none(&breaches);
}

#[test]
fn what_waits_for_more_brokers_is_checked_until_then() {
    let waiting = names::ALL
        .iter()
        .filter(|attr| attr.is(MANY) && !attr.is(READONLY));
    let unchecked = waiting.filter(|attr| matches!(attr.form, Form::Text | Form::Presence));
    let breaches: Vec<String> = unchecked
        .map(|attr| format!("attribute {}: MANY, and any value is taken", attr.name))
        .collect();
    assert_none(&breaches);
}

#[test]
fn every_key_of_the_configuration_is_used() {
    let sources = Sources::read();
    let mut breaches = Vec::new();
    for key in keys::ALL {
        let path = key.path;
        match key.status {
            Status::Used if sources.users(key.constant, false).is_empty() => {
                let constant = key.constant;
                breaches.push(format!(
                    "key {path}: no code reads {constant}; use it, or mark it unsupported"
                ));
            }
            Status::Attribute if !names::find(path).is_some_and(|attr| attr.is(CONFIG)) => {
                breaches.push(format!("key {path}: no attribute of this name takes it"));
            }
            _ => {}
        }
    }
    for attr in names::ALL.iter().filter(|attr| attr.is(CONFIG)) {
        let is_key = |key: &keys::Key| key.path == attr.name && key.status == Status::Attribute;
        if !keys::ALL.iter().any(is_key) {
            breaches.push(format!("attribute {}: no key of this name", attr.name));
        }
    }
    assert_none(&breaches);
}
