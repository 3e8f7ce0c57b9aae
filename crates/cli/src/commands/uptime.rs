//! `flux uptime`: how the instance is, in one line.

use std::fmt::Write as _;

use client::{Call, Handle};
use jiff::Timestamp;
use nix::unistd::{Uid, User};
use proto::data::{Fsd, IdSet};
use proto::{Errno, Refusal, groups, job_manager, resource, state_machine};

use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Significant digits of the time in a state.
const DIGITS: usize = 2;

/// Show the state of the instance, its age, owner and size
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux uptime")]
pub struct Uptime {}

impl Run for Uptime {
    const NAME: &'static str = "uptime";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let state = handle.rpc(&state_machine::Get)?;
        let size = handle.size()?;
        let mut summary = Summary {
            time: Timestamp::now()
                .to_zoned(clock::zone(&flux.env))
                .strftime("%H:%M:%S")
                .to_string(),
            state: state.state,
            duration: Fsd::from_secs(state.duration)
                .unwrap_or(Fsd::ZERO)
                .to_text(DIGITS),
            owner: user_name(&handle.attr("security.owner")?),
            depth: handle.attr("instance-level")?,
            size,
            ..Summary::default()
        };
        if summary.state == "run" {
            summary.drained = drained(&mut handle)?;
            summary.offline = u64::from(size).saturating_sub(online(&mut handle, size)?);
            (summary.is_disabled, summary.is_stopped) = queues(&mut handle)?;
        }
        write!(flux.out, "{}", summary.render())?;
        Ok(())
    }
}

/// Values to show.
#[derive(Default)]
struct Summary {
    time: String,
    state: String,
    duration: String,
    owner: String,
    depth: String,
    size: u32,
    drained: u64,
    offline: u64,
    is_disabled: bool,
    is_stopped: bool,
}

impl Summary {
    fn render(&self) -> String {
        let Summary {
            time,
            state,
            duration,
            owner,
            depth,
            size,
            ..
        } = self;
        let mut text =
            format!(" {time} {state} {duration},  owner {owner},  depth {depth},  size {size}");
        // Writing to a String does not fail.
        if self.drained > 0 {
            let _ = write!(text, ",  {} drained", self.drained);
        }
        if self.offline > 0 {
            let _ = write!(text, ",  {} offline", self.offline);
        }
        text.push('\n');
        let notes = [
            self.is_disabled.then_some("submit disabled"),
            self.is_stopped.then_some("scheduler stopped"),
        ];
        let notes: Vec<&str> = notes.into_iter().flatten().collect();
        if !notes.is_empty() {
            let _ = writeln!(text, "  {}", notes.join(",  "));
        }
        text
    }
}

fn user_name(uid: &str) -> String {
    let known = uid
        .parse()
        .ok()
        .and_then(|uid| User::from_uid(Uid::from_raw(uid)).ok().flatten());
    known.map_or_else(|| uid.to_owned(), |user| user.name)
}

/// Number of drained nodes; 0 without the resource module.
fn drained(handle: &mut Handle) -> Result<u64, CliError> {
    let Some(status) = unless_absent(handle.call(Call::new(&resource::Status).to(0)))? else {
        return Ok(0);
    };
    let idsets = status
        .drain
        .keys()
        .filter_map(|ids| ids.parse::<IdSet>().ok());
    Ok(idsets.map(|ids| ids.count()).sum())
}

/// Number of brokers online; all of them without groups.
fn online(handle: &mut Handle, size: u32) -> Result<u64, CliError> {
    let name = "broker.online".to_owned();
    let members = unless_absent(handle.call(Call::new(&groups::Get { name }).to(0)))?;
    Ok(members.map_or(u64::from(size), |group| group.members.count()))
}

/// Returns two flags: no queue accepts jobs; no queue starts jobs.
fn queues(handle: &mut Handle) -> Result<(bool, bool), CliError> {
    let Some(list) = unless_absent(handle.rpc(&job_manager::QueueList))? else {
        return Ok((false, false));
    };
    let mut names: Vec<Option<String>> = list.queues.into_iter().map(Some).collect();
    if names.is_empty() {
        names.push(None);
    }
    let (mut none_enabled, mut none_started) = (true, true);
    for name in names {
        let state = handle.rpc(&job_manager::QueueStatus { name })?;
        none_enabled &= !state.enable;
        none_started &= !state.start;
    }
    Ok((none_enabled, none_started))
}

fn unless_absent<T>(answer: Result<T, Refusal>) -> Result<Option<T>, CliError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(refusal) if refusal.errno == Errno::ENOSYS => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        Summary {
            time: "07:17:18".to_owned(),
            state: "run".to_owned(),
            duration: "6.2s".to_owned(),
            owner: "root".to_owned(),
            depth: "0".to_owned(),
            size: 2,
            ..Summary::default()
        }
    }

    #[test]
    fn all_is_well_in_one_line() {
        let expect = " 07:17:18 run 6.2s,  owner root,  depth 0,  size 2\n";
        assert_eq!(summary().render(), expect);
    }

    #[test]
    fn what_is_amiss_is_added() {
        let summary = Summary {
            drained: 1,
            offline: 2,
            is_disabled: true,
            is_stopped: true,
            ..summary()
        };
        let expect = " 07:17:18 run 6.2s,  owner root,  depth 0,  size 2,  1 drained,  2 offline\n  \
            submit disabled,  scheduler stopped\n";
        assert_eq!(summary.render(), expect);
    }
}
