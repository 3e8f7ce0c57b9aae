//! A session and nothing else: `flux terminus attach`.

use std::os::fd::{AsFd, BorrowedFd};

use client::{Arrival, Handle, Refusal};
use proto::Errno;

use super::{Client, Mode, News};
use crate::signals::{SignalAction, Signals};
use command::error::CliError;
use command::flux::Flux;

/// End of the session.
#[derive(Debug)]
pub enum Ending {
    /// We were not attached, for this reason.
    Refused(Refusal),
    /// The process has ended with this wait status, or 0 if it runs on.
    Detached(i32),
    /// The other end is lost.
    Lost,
    /// A signal has ended us, or our terminal was closed.
    Signal(i32),
}

/// Signal of a closed terminal.
const SIGHUP: i32 = 1;
/// Signal of ^C.
const SIGINT: i32 = 2;

/// Attaches to the session at `topic` on a rank, until one of both ends.
pub fn follow(
    flux: &mut Flux,
    handle: &mut Handle,
    (topic, rank): (&str, Option<u32>),
    mode: Mode,
) -> Result<Ending, CliError> {
    let mut signals = match flux.input.descriptor() {
        Some(_) => Signals::take_over(),
        None => None,
    };
    if let Some(signals) = &mut signals {
        signals.add_those_of_terminals();
    }
    let mut client = Client::attach(flux, handle, topic, rank, mode)?;
    loop {
        flux.out.flush()?;
        let mut watched: Vec<BorrowedFd<'_>> = Vec::with_capacity(2);
        watched.extend(signals.as_ref().map(AsFd::as_fd));
        let n_signals = watched.len();
        watched.extend(client.wanted());
        let arrival = handle.next(&watched, client.next())?;
        let news = match arrival {
            Arrival::Ready(place) if place < n_signals => {
                let action = signals.as_mut().and_then(Signals::next);
                match obey(handle, &client, action, signals.as_ref()) {
                    Some(signum) => {
                        client.give_back();
                        return Ok(Ending::Signal(signum));
                    }
                    None => News::Nothing,
                }
            }
            Arrival::Ready(_) => client.read(handle),
            Arrival::Answer(call, answer) => match client.take(flux, handle, call, &answer) {
                Some(news) => news?,
                None => News::Nothing,
            },
            _ => News::Nothing,
        };
        client.tick(handle);
        match news {
            News::Nothing | News::Attached => {}
            News::Refused(refusal) => return Ok(Ending::Refused(refusal)),
            News::Detached { message, status } => {
                if mode == Mode::Both {
                    client.finish(flux, &message)?;
                }
                return Ok(Ending::Detached(status));
            }
            News::Lost => {
                client.finish(flux, super::GONE)?;
                return Ok(Ending::Lost);
            }
            News::HungUp => {
                client.give_back();
                return Ok(Ending::Signal(SIGHUP));
            }
        }
    }
}

/// Carries out a signal; returns its number if it means to end.
fn obey(
    handle: &mut Handle,
    client: &Client,
    action: Option<SignalAction>,
    signals: Option<&Signals>,
) -> Option<i32> {
    match action? {
        SignalAction::Resize => client.resize(handle),
        SignalAction::Stop => client.suspend(handle, || {
            if let Some(signals) = signals {
                signals.stop();
            }
        }),
        SignalAction::Warn | SignalAction::Cancel | SignalAction::Detach => return Some(SIGINT),
        SignalAction::Forward(signum) | SignalAction::Quit(signum) => return Some(signum),
    }
    None
}

/// True if a session is refused because there is none.
pub fn is_missing(refusal: &Refusal) -> bool {
    matches!(
        refusal.errno,
        Errno::ENOSYS | Errno::ENOENT | Errno::EHOSTUNREACH
    )
}
