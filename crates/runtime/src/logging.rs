//! One logging path: tracing records become lines of the broker's log (RFC 5424
//! severities), sent best-effort and never waited for.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Mutex, OnceLock};

use proto::log::Append;
use proto::{Method as _, Raw};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use wire::{Flags, Message};

use crate::limits::LOG_LINES_MAX;

/// Lines written and not sent yet.
#[derive(Default)]
struct Lines {
    waiting: VecDeque<String>,
    dropped: u64,
}

static LINES: Mutex<Lines> = Mutex::new(Lines {
    waiting: VecDeque::new(),
    dropped: 0,
});
static SOURCE: OnceLock<Source> = OnceLock::new();

/// Source of log messages.
struct Source {
    app: String,
    rank: String,
}

/// Sends the log lines that this process makes with tracing to the broker's log, as `app`
/// on `rank`. The second call in a process does nothing.
pub fn start(app: &str, rank: u32) {
    let source = Source {
        app: app.to_owned(),
        rank: rank.to_string(),
    };
    if SOURCE.set(source).is_ok() {
        let subscriber = tracing_subscriber::registry().with(ToLines);
        // Only a second subscriber could make this fail, and then that one logs.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
}

/// The lines logged since the last look, as messages for `log.append`.
pub fn take() -> Vec<Message> {
    let Ok(mut lines) = LINES.lock() else {
        return Vec::new();
    };
    if lines.dropped > 0 {
        let text = format!("{} log lines were dropped: too many at once", lines.dropped);
        lines.dropped = 0;
        let line = render(Level::WARN, &text);
        lines.waiting.push_back(line);
    }
    lines.waiting.drain(..).map(append).collect()
}

fn append(line: String) -> Message {
    let mut message = Append(Raw(line.into())).to_message(0);
    message.set_flag(Flags::NORESPONSE, true);
    message
}

/// The severity of RFC 5424 behind a tracing level.
fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

fn render(level: Level, text: &str) -> String {
    let none = Source {
        app: "-".to_owned(),
        rank: "0".to_owned(),
    };
    let source = SOURCE.get().unwrap_or(&none);
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ");
    // Severity in the high bits: protocol/03 section 7.
    let pri = severity(level) << 3;
    format!(
        "<{pri}>1 {now} {} {} {} - - {text}",
        source.rank,
        source.app,
        std::process::id()
    )
}

struct ToLines;

impl<S: Subscriber> Layer<S> for ToLines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= Level::DEBUG
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let Ok(mut lines) = LINES.lock() else { return };
        if lines.waiting.len() >= LOG_LINES_MAX {
            lines.dropped += 1;
            return;
        }
        let line = render(*event.metadata().level(), &text.joined());
        lines.waiting.push_back(line);
    }
}

/// The message of a record and its fields behind it.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn joined(self) -> String {
        self.message + &self.fields
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
