//! `flux top`: an instance and its running jobs, as they change.
//!
//! Queries and the loop are in `session.rs`, the data in `model.rs`, the layout in `draw.rs`,
//! the output in `screen.rs` and `terminal.rs`, and the keys in `keys.rs`.

mod draw;
mod keys;
mod model;
mod screen;
mod session;
mod terminal;

use std::path::PathBuf;

use client::Handle;

use super::jobs::field::Facts;
use super::jobs::reach::Reach;
use command::clock;
use command::entry::{Group, Run, Style};
use command::error::{CliError, io_text};
use command::flux::Flux;
use session::{Choice, End, Place, Session};
use terminal::Terminal;

/// Show an instance and its running jobs, updated continuously
#[derive(clap::Parser)]
#[command(after_help = "Keys:
  j, k, down, up      select a job
  enter               show the instance that the selected job is
  h, l, left, right   show another queue
  d                   show results of inactive jobs, or do not
  ^L                  redraw the screen
  q                   leave the instance

Examples:
  flux top
  flux top -q batch
  flux top ƒABC")]
pub struct Top {
    /// Use colour: auto, always or never
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true,
        default_value = "auto", default_missing_value = "always")]
    color: clap::ColorChoice,
    /// Show this queue first
    #[arg(short, long, value_name = "QUEUE")]
    queue: Option<String>,
    /// End when everything has been shown once
    #[arg(long, hide = true)]
    test_exit: bool,
    /// Write the last screen to this file at the end
    #[arg(long, hide = true, value_name = "FILE")]
    test_exit_dump: Option<PathBuf>,
    /// Instance to show: a URI, or any target of 'flux uri'
    #[arg(value_name = "TARGET")]
    target: Option<String>,
}

impl Run for Top {
    const NAME: &'static str = "top";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        Terminal::check(flux)?;
        let target = self.target.as_deref();
        let place = Place {
            uri: target.map(|target| resolve(flux, target)).transpose()?,
            title: String::new(),
        };
        let (mut session, choice) = self.open(flux, &place)?;
        session.choose(&choice);
        let mut terminal = Terminal::take(flux.wants_color(self.color))?;
        self.visit(flux, &mut terminal, &place, session)?;
        Ok(())
    }
}

/// Continuation: go on in the instance above, or end.
#[derive(PartialEq, Eq)]
enum Flow {
    GoOn,
    Stop,
}

impl Top {
    /// Connects, and looks up the queue that is to be shown first.
    fn open(&self, flux: &Flux, place: &Place) -> Result<(Session, Choice), CliError> {
        let handle = connect(flux, place)?;
        let session = Session::open(flux, handle, &place.title)?;
        let mut choice = Choice::default();
        if let Some(name) = &self.queue {
            let mut queues = session.model.fixed.queues.iter();
            let unknown = || CliError::new(format!("queue {name} not configured"));
            choice.queue = Some(queues.position(|queue| queue == name).ok_or_else(unknown)?);
        }
        Ok((session, choice))
    }

    /// Shows an instance, and those that the user enters from there.
    fn visit(
        &self,
        flux: &Flux,
        terminal: &mut Terminal,
        place: &Place,
        mut session: Session,
    ) -> Result<Flow, CliError> {
        let is_test = self.test_exit || self.test_exit_dump.is_some();
        loop {
            let inner = match session.run(flux, terminal, is_test)? {
                End::Quit => return Ok(Flow::GoOn),
                End::Tested => {
                    self.dump(flux, &session)?;
                    return Ok(Flow::Stop);
                }
                End::Descend(inner) => inner,
            };
            // While the user is elsewhere nobody reads what this instance sends.
            let choice = session.choice();
            drop(session);
            let opened = connect(flux, &inner);
            let opened = opened.and_then(|handle| Session::open(flux, handle, &inner.title));
            let visited = opened.and_then(|session| self.visit(flux, terminal, &inner, session));
            let message = match visited {
                Ok(Flow::Stop) => return Ok(Flow::Stop),
                Ok(Flow::GoOn) => None,
                // A signal.
                Err(error) if error.text().is_empty() => return Err(error),
                Err(error) => Some(error),
            };
            session = Session::open(flux, connect(flux, place)?, &place.title)?;
            session.choose(&choice);
            if let Some(error) = message {
                session.show_message(error.text());
            }
        }
    }

    fn dump(&self, flux: &Flux, session: &Session) -> Result<(), CliError> {
        let Some(path) = &self.test_exit_dump else {
            return Ok(());
        };
        let dump = session.model.dump(&Facts::new(clock::now()), flux.plain());
        std::fs::write(path, dump).map_err(|error| {
            let text = format!("{}: {}", path.display(), io_text(&error));
            CliError::new(text)
        })
    }
}

fn connect(flux: &Flux, place: &Place) -> Result<Handle, CliError> {
    let opened = match &place.uri {
        Some(uri) => Reach::of(flux).open(uri),
        None => flux.connect(),
    };
    opened.map_err(|error| {
        let why = error.text().trim_start_matches("flux_open: ");
        CliError::new(format!("error connecting to Flux: {why}"))
    })
}

/// The URI of an instance as named by the user.
fn resolve(flux: &mut Flux, target: &str) -> Result<String, CliError> {
    crate::uri::resolve_quietly(flux, target).map_err(|why| {
        let text = format!("failed to resolve target to a Flux URI\n{}", why.trim_end());
        CliError::usage(text.trim_end())
    })
}
