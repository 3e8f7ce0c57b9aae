//! A visit to an instance: queries it, shows the data, and handles the keys.

use std::time::{Duration, Instant};

use client::{Arrival, Call, CallId, Handle, Refusal};
use proto::config::{self, Queues};
use proto::data::Rset;
use proto::data::job::States;
use proto::job_list::{JobStats, JobStatsReply, List};
use proto::kvs::Lookup;
use proto::resource::{SchedStatus, SchedStatusReply};
use proto::{Errno, Event as _, Method as _, Payload as _, heartbeat, sched};
use serde::Deserialize;
use serde_json::json;
use wire::Message;

use super::super::jobs::ask::read;
use super::super::jobs::field::Facts;
use super::super::jobs::job::Job;
use super::super::queue::nodes::QueueNodes;
use super::draw::{PANE_ROWS, draw};
use super::keys::{Key, keys};
use super::model::{Fixed, HEART_S, MESSAGE_S, Model};
use super::screen::Screen;
use super::terminal::Terminal;
use crate::limits::TOP_REFRESH;
use command::clock;
use command::error::CliError;
use command::flux::Flux;

/// Event that shows that the instance is alive.
const PULSE: &str = heartbeat::Pulse::TOPIC;

/// The former service with the resources of the scheduler.
const OLD_RESOURCES: &str = sched::ResourceStatus::TOPIC;

/// Attributes of each job to query.
const ATTRS: [&str; 8] = [
    "annotations",
    "userid",
    "state",
    "name",
    "queue",
    "nnodes",
    "ntasks",
    "t_run",
];

/// An instance, and how the user got there.
#[derive(Debug, Clone)]
pub struct Place {
    /// URI of the instance; default: that of the environment.
    pub uri: Option<String>,
    /// The jobs that lead to it.
    pub title: String,
}

/// End of a visit.
pub enum End {
    /// The user has seen enough.
    Quit,
    /// The user wants to see another instance.
    Descend(Place),
    /// All has been shown once, and no more was wanted.
    Tested,
}

/// Selection to keep for the next visit.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    pub queue: Option<usize>,
    pub selected: usize,
    pub hides_results: bool,
}

/// The visit.
pub struct Session {
    handle: Handle,
    pub model: Model,
    topic: String,
    title: String,
    calls: Calls,
    /// Something happened since the last questions.
    is_stale: bool,
    asked: Option<Instant>,
}

/// Questions without an answer yet, and whether they ever had one.
#[derive(Default)]
struct Calls {
    stats: Option<CallId>,
    jobs: Option<CallId>,
    resources: Option<CallId>,
    answered: [bool; 3],
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

impl Session {
    /// Queries the data that does not change.
    pub fn open(flux: &Flux, mut handle: Handle, title: &str) -> Result<Session, CliError> {
        let lost = |refusal: Refusal| lost(&refusal);
        let number = |text: Result<String, Refusal>| text.ok()?.parse::<f64>().ok();
        let own = handle.attr("jobid").unwrap_or_default();
        let title = if title.is_empty() {
            own
        } else {
            title.to_owned()
        };
        let queues = Queues::parse(&handle.rpc(&config::Get).map_err(lost)?)?;
        let nodes = QueueNodes::of(queues);
        let fixed = Fixed {
            title: title.clone(),
            expiration: expiration(&mut handle).unwrap_or(0.0),
            size: handle.size().map_err(lost)?,
            depth: number(handle.attr("instance-level")).map_or(0, |level| level as u32),
            start: number(handle.attr("broker.starttime")).unwrap_or_else(clock::now),
            version: handle.attr("version").unwrap_or_default(),
            queues: nodes.names().map(str::to_owned).collect(),
            nodes,
        };
        // Without a pulse there is no heart, but all else.
        let _ = handle.subscribe(PULSE);
        let topic = flux.env.get("FLUX_RESOURCE_LIST_RPC");
        Ok(Session {
            handle,
            model: Model {
                fixed,
                ..Model::default()
            },
            topic: topic.unwrap_or(SchedStatus::TOPIC).to_owned(),
            title,
            calls: Calls::default(),
            is_stale: true,
            asked: None,
        })
    }

    /// Current selection.
    pub fn choice(&self) -> Choice {
        Choice {
            queue: self.model.queue,
            selected: self.model.selected,
            hides_results: self.model.hides_results,
        }
    }

    /// Restores the selection of the user.
    pub fn choose(&mut self, choice: &Choice) {
        self.model.queue = choice.queue;
        self.model.selected = choice.selected;
        self.model.hides_results = choice.hides_results;
    }

    /// Shows a message for some time.
    pub fn show_message(&mut self, text: &str) {
        self.model.message = Some((text.to_owned(), clock::now() + MESSAGE_S));
    }

    /// Goes on until the user leaves, or in a test until all has been shown once.
    pub fn run(
        &mut self,
        flux: &Flux,
        terminal: &mut Terminal,
        is_test: bool,
    ) -> Result<End, CliError> {
        loop {
            self.ask();
            let (columns, rows) = Terminal::size();
            let mut screen = Screen::new(columns, rows);
            draw(
                &self.model,
                &Facts::new(clock::now()),
                flux.plain(),
                &mut screen,
            );
            terminal.show(screen)?;
            if is_test && self.calls.answered == [true; 3] {
                return Ok(End::Tested);
            }
            let next = self.handle.next(&terminal.descriptors(), self.deadline());
            match next.map_err(|refusal| lost(&refusal))? {
                Arrival::Answer(call, answer) => self.take(call, answer)?,
                Arrival::Event(event) if event.topic() == PULSE => {
                    self.model.heart_until = clock::now() + HEART_S;
                }
                Arrival::Ready(0) => {
                    let bytes = Terminal::read()?;
                    if bytes.is_empty() {
                        return Ok(End::Quit);
                    }
                    for key in keys(&bytes) {
                        if let Some(end) = self.obey(key, terminal) {
                            return Ok(end);
                        }
                    }
                }
                Arrival::Ready(_) => {
                    if let Some(signal) = terminal.ending() {
                        let code = u8::try_from(128 + signal as i32).unwrap_or(1);
                        return Err(CliError::exit(code));
                    }
                    // Another size has room for another number of jobs.
                    self.is_stale = true;
                }
                Arrival::Event(_) | Arrival::Request(_) | Arrival::Deadline => {}
            }
        }
    }

    fn obey(&mut self, key: Key, terminal: &mut Terminal) -> Option<End> {
        self.model.message = None;
        match key {
            Key::Quit => return Some(End::Quit),
            Key::Down => self.model.select(true),
            Key::Up => self.model.select(false),
            Key::Details => self.model.hides_results ^= true,
            Key::Redraw => terminal.forget(),
            Key::Left | Key::Right => {
                self.model.turn_queue(key == Key::Right);
                self.model.jobs.clear();
                // An answer about another queue is of no use.
                if let Some(call) = self.calls.jobs.take() {
                    self.handle.forget(call);
                }
                (self.is_stale, self.asked) = (true, None);
            }
            Key::Enter => return self.selected_place().map(End::Descend),
        }
        None
    }

    /// The instance that the selected job is, if it is one.
    fn selected_place(&self) -> Option<Place> {
        let job = self.model.selected_job()?;
        let uri = job.running_uri()?.to_owned();
        let title = if self.title.is_empty() {
            job.id.to_string()
        } else {
            format!("{}/{}", self.title, job.id)
        };
        Some(Place {
            uri: Some(uri),
            title,
        })
    }

    /// Sends the queries that are due.
    fn ask(&mut self) {
        if self.calls.stats.is_none() && self.is_due() {
            let call = self.handle.start_stream(Call::raw(JobStats::TOPIC));
            self.calls.stats = Some(call.id());
            self.is_stale = true;
        }
        if !self.is_stale || !self.is_due() {
            return;
        }
        if self.calls.jobs.is_none() {
            let call = Call::raw(List::TOPIC).payload(self.list().encode());
            self.calls.jobs = Some(self.handle.start(call).id());
        }
        if self.calls.resources.is_none() {
            let call = Call::raw(&self.topic).to(0);
            self.calls.resources = Some(self.handle.start(call).id());
        }
        (self.is_stale, self.asked) = (false, Some(Instant::now()));
    }

    fn is_due(&self) -> bool {
        self.asked
            .is_none_or(|asked| asked.elapsed() >= TOP_REFRESH)
    }

    fn list(&self) -> List {
        let states = json!({ "states": [States::RUNNING.bits()] });
        let constraint = match self.model.queue_name() {
            Some(queue) => json!({ "and": [states, { "queue": [queue] }] }),
            None => states,
        };
        let (_, rows) = Terminal::size();
        List {
            max_entries: Some(json!(rows.saturating_sub(PANE_ROWS + 1).max(1))),
            attrs: Some(json!(ATTRS)),
            constraint: Some(constraint),
            ..List::default()
        }
    }

    /// Until when nothing has to be done or drawn.
    fn deadline(&self) -> Option<Instant> {
        let now = clock::now();
        let message = self.model.message.as_ref().map(|(_, end)| *end);
        let shown = [Some(self.model.heart_until), message]
            .into_iter()
            .flatten();
        let shown = shown.filter(|end| *end > now);
        let shown = shown.filter_map(|end| Duration::try_from_secs_f64(end - now).ok());
        let is_waiting = self.is_stale || self.calls.stats.is_none();
        let asked = self.asked.filter(|_| is_waiting);
        let refresh = asked.and_then(|asked| asked.checked_add(TOP_REFRESH));
        let shown = shown.filter_map(|left| Instant::now().checked_add(left));
        shown.chain(refresh).min()
    }

    fn take(&mut self, call: CallId, answer: Result<Message, Refusal>) -> Result<(), CliError> {
        let call = Some(call);
        if call == self.calls.stats {
            self.calls.answered[0] = true;
            match answer {
                Ok(message) => {
                    let stats: JobStatsReply = read(message.payload())?;
                    self.model.stats = Some(stats);
                    self.is_stale = true;
                }
                // The service may be back soon.
                Err(_) => self.calls.stats = None,
            }
        } else if call == self.calls.jobs {
            self.calls.jobs = None;
            self.calls.answered[1] = true;
            match answer {
                Ok(message) => self.model.set_jobs(read::<Jobs>(message.payload())?.jobs),
                Err(_) => self.is_stale = true,
            }
        } else if call == self.calls.resources {
            self.calls.resources = None;
            match answer {
                Ok(message) => {
                    let resources: SchedStatusReply = read(message.payload())?;
                    self.model.resources = Some(resources);
                    self.calls.answered[2] = true;
                }
                Err(refusal) if refusal.errno == Errno::ENOSYS && self.topic != OLD_RESOURCES => {
                    OLD_RESOURCES.clone_into(&mut self.topic);
                    (self.is_stale, self.asked) = (true, None);
                }
                // An instance may have no resources, or not tell us.
                Err(_) => self.calls.answered[2] = true,
            }
        }
        Ok(())
    }
}

/// Time at which the resources expire; 0 for never.
fn expiration(handle: &mut Handle) -> Option<f64> {
    let found = handle.rpc(&Lookup::new("primary", "resource.R", 0)).ok()?;
    let bytes = found.bytes()?;
    let set = Rset::decode(std::str::from_utf8(&bytes).ok()?).ok()?;
    Some(set.expiration())
}

/// Error for a lost connection.
fn lost(refusal: &Refusal) -> CliError {
    CliError::new(format!("lost connection to Flux: {refusal}"))
}
