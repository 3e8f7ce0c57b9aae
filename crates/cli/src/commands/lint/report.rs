//! Findings, as text and as JSON.

use serde::Serialize;

use crate::lint::{Finding, Findings};
use command::error::CliError;

/// All of it.
#[derive(Serialize)]
pub(super) struct Report {
    /// Number of messages seen, each with its sender and its receiver.
    messages: u64,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(messages: u64, found: Findings) -> Report {
        Report {
            messages,
            findings: found.all().collect(),
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// A line for each, and the sum.
    pub(super) fn text(&self) -> String {
        let line = |finding: &Finding| {
            let Finding { place, count, why } = finding;
            let key = place
                .key
                .as_ref()
                .map_or(String::new(), |key| format!(" key={key}"));
            let (rule, who, topic) = (place.rule, &place.who, &place.topic);
            format!("{rule}: {who}: {topic}{key}: {why} ({count} times)\n")
        };
        let mut text: String = self.findings.iter().map(line).collect();
        let (found, seen) = (self.findings.len(), self.messages);
        text.push_str(&format!("{found} findings in {seen} messages\n"));
        text
    }

    /// One object on one line.
    pub(super) fn json(&self) -> Result<String, CliError> {
        let text = serde_json::to_string(self);
        let text = text.map_err(|error| CliError::new(error.to_string()))?;
        Ok(text + "\n")
    }
}
