//! The PMI-1 server for processes of one host (RFC 13, protocol/13 section 15): the tasks
//! of a job, or the brokers of a test instance. Pure: lines in, lines out.
//!
//! Requests of one process are answered in order. A key can be read here as soon as it is put.
//! A single server has nobody to exchange keys with: a barrier ends when all its processes
//! have come to it. One of several then reports its new keys, and the barrier ends when it
//! receives those of all others. Keys that begin with `local::` stay here.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{KEYLEN_MAX, KEYS_MAX, KVSNAME_MAX, LINE_BYTES_MAX, VALLEN_MAX};
use crate::line::word;
use crate::result::{FAIL, INVALID_KEY, INVALID_KEY_LENGTH, INVALID_VAL_LENGTH};

/// The server of one job.
#[derive(Debug)]
pub struct Server {
    kvsname: String,
    keys: BTreeMap<String, String>,
    clients: Vec<Client>,
    entered: usize,
    /// A task broke off: no barrier can be complete any more.
    is_broken: bool,
    /// Processes of all servers.
    total: usize,
    /// There are other servers, to which these keys are new.
    others: Option<Fresh>,
}

/// Keys that other servers do not know yet.
#[derive(Debug, Default)]
struct Fresh {
    keys: BTreeSet<String>,
    /// An exchange is under way.
    is_exchanging: bool,
    /// All know that no barrier can be complete any more.
    is_told: bool,
}

/// One task.
#[derive(Debug, Default)]
struct Client {
    /// An unfinished line.
    buffer: Vec<u8>,
    /// The client is within `mcmd=spawn` ... `endcmd`.
    spawning: bool,
    begun: bool,
    finalized: bool,
    closed: bool,
    in_barrier: bool,
    /// The client has ended the program: nobody else is to notice before its launcher
    /// does.
    has_aborted: bool,
    /// The client was started again: the others are past their barriers.
    is_late: bool,
}

/// Next action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write to a task, then close its socket if `close`.
    Reply {
        /// Index of the task.
        task: usize,
        /// A line, or nothing.
        line: String,
        /// True if nothing more will be sent.
        close: bool,
    },
    /// A task ends the whole program.
    Abort {
        /// Index of the task.
        task: usize,
        /// Message about it.
        message: Option<String>,
    },
    /// Exchange keys with the other servers: [`Server::exchanged`] gives the result. With
    /// [`BROKEN`] among them, the barrier fails for all.
    Exchange(BTreeMap<String, String>),
    /// A task has asked for PMI-2, which is not this protocol: [`VERSION_2`] is the likely reason.
    Version2 {
        /// Index of the task.
        task: usize,
    },
    /// A task has said something that is not this protocol. It is not served any more.
    Malformed {
        /// Index of the task.
        task: usize,
        /// Beginning of its line.
        line: String,
    },
    /// Tell the user.
    Warn(String),
}

/// Text for the user about a process that asks for PMI-2.
pub const VERSION_2: &str = "is application unintentionally using slurm libpmi2.so?";

/// The key that no process can put: a server whose processes cannot all come to a barrier
/// brings it along, so that nobody waits for them.
pub const BROKEN: &str = "";

/// Prefix of keys that are not exchanged.
const LOCAL: &str = "local::";

impl Server {
    /// A server for `size` tasks. `preset` keys are there from the start.
    pub fn new(kvsname: &str, size: usize, preset: BTreeMap<String, String>) -> Server {
        Server {
            kvsname: kvsname.to_owned(),
            keys: preset,
            clients: (0..size).map(|_| Client::default()).collect(),
            entered: 0,
            is_broken: false,
            total: size,
            others: None,
        }
    }

    /// A server for `here` of `total` tasks, the others of which have servers of their own.
    pub fn among(
        kvsname: &str,
        (here, total): (usize, usize),
        preset: BTreeMap<String, String>,
    ) -> Server {
        Server {
            total,
            others: Some(Fresh::default()),
            ..Server::new(kvsname, here, preset)
        }
    }

    /// The other servers have come to the barrier too, with these keys; `None` if they have not
    /// and will not.
    pub fn exchanged(&mut self, keys: Option<BTreeMap<String, String>>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(others) = &mut self.others {
            others.is_exchanging = false;
        }
        let keys = keys.filter(|keys| !keys.contains_key(BROKEN));
        let has_room = keys
            .as_ref()
            .is_some_and(|keys| self.keys.len().saturating_add(keys.len()) <= KEYS_MAX);
        if keys.is_some() && !has_room {
            effects.push(Effect::Warn(format!("more than {KEYS_MAX} keys")));
        }
        match keys.filter(|_| has_room) {
            Some(keys) => {
                self.keys.extend(keys);
                self.leave_barrier(0, &mut effects);
            }
            None => {
                if let Some(others) = &mut self.others {
                    others.is_told = true;
                }
                self.break_barrier(&mut effects);
            }
        }
        if self.is_broken {
            self.report_broken(&mut effects);
        }
        effects
    }

    /// No barrier can be complete any more. Other servers are notified at the next one.
    fn break_barrier(&mut self, effects: &mut Vec<Effect>) {
        self.is_broken = true;
        self.leave_barrier(FAIL, effects);
    }

    /// Brings the new keys to the others.
    fn exchange(&mut self, effects: &mut Vec<Effect>) {
        let Some(others) = &mut self.others else {
            return;
        };
        if std::mem::replace(&mut others.is_exchanging, true) {
            return;
        }
        let fresh = std::mem::take(&mut others.keys).into_iter();
        let known = fresh.filter_map(|key| self.keys.get_key_value(&key));
        let known = known.map(|(key, value)| (key.clone(), value.clone()));
        effects.push(Effect::Exchange(known.collect()));
    }

    /// Notifies the others that no barrier can be complete, before they wait for it.
    fn report_broken(&mut self, effects: &mut Vec<Effect>) {
        if let Some(others) = &mut self.others
            && !others.is_exchanging
            && !std::mem::replace(&mut others.is_told, true)
        {
            others.is_exchanging = true;
            let word = BTreeMap::from([(BROKEN.to_owned(), String::new())]);
            effects.push(Effect::Exchange(word));
        }
    }

    /// A task wrote something.
    pub fn receive(&mut self, task: usize, data: &[u8]) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(client) = self.clients.get_mut(task) else {
            return effects;
        };
        client.buffer.extend_from_slice(data);
        while let Some(line) = self.next_line(task) {
            self.handle_line(task, &line, &mut effects);
        }
        let client = &self.clients[task];
        if !client.closed && client.buffer.len() > LINE_BYTES_MAX {
            self.protocol_error(task, "line too long", &mut effects);
        }
        effects
    }

    /// A task is started again, with a new socket. It finds every barrier open.
    pub fn begin_again(&mut self, task: usize) {
        if let Some(client) = self.clients.get_mut(task) {
            self.entered -= usize::from(client.in_barrier);
            *client = Client {
                is_late: true,
                ..Client::default()
            };
        }
    }

    /// A task closed its socket. If it had begun and not finalized, those who wait for it
    /// in a barrier, or would, are answered with an error.
    pub fn hang_up(&mut self, task: usize) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(client) = self.clients.get_mut(task) else {
            return effects;
        };
        client.closed = true;
        let has_left = client.finalized || client.has_aborted || client.is_late;
        if client.begun && !has_left && !self.is_broken {
            self.break_barrier(&mut effects);
            self.report_broken(&mut effects);
        }
        effects
    }

    fn next_line(&mut self, task: usize) -> Option<String> {
        let client = &mut self.clients[task];
        if client.closed {
            client.buffer.clear();
            return None;
        }
        let end = client.buffer.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = client.buffer.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    fn handle_line(&mut self, task: usize, line: &str, effects: &mut Vec<Effect>) {
        let client = &mut self.clients[task];
        if client.spawning {
            if line == "endcmd" {
                client.spawning = false;
                reply(effects, task, format!("cmd=spawn_result rc={FAIL}"));
            }
            return;
        }
        if line.starts_with("mcmd=spawn") {
            client.spawning = true;
            return;
        }
        let command = line
            .strip_prefix("cmd=")
            .and_then(|rest| rest.split(' ').next());
        match command {
            Some("init") => self.init(task, line, effects),
            Some("get_maxes") => reply(
                effects,
                task,
                format!(
                    "cmd=maxes rc=0 kvsname_max={KVSNAME_MAX} keylen_max={KEYLEN_MAX} \
                     vallen_max={VALLEN_MAX}"
                ),
            ),
            Some("get_universe_size") => {
                let size = self.total;
                reply(effects, task, format!("cmd=universe_size rc=0 size={size}"));
            }
            Some("get_appnum") => reply(effects, task, "cmd=appnum rc=0 appnum=0".to_owned()),
            Some("get_my_kvsname") => {
                let name = &self.kvsname;
                reply(effects, task, format!("cmd=my_kvsname rc=0 kvsname={name}"));
            }
            Some("put") => self.put(task, line, effects),
            Some("get") => self.get(task, line, effects),
            Some("barrier_in") => self.barrier(task, effects),
            Some("publish_name") => reply(effects, task, unsupported("publish")),
            Some("unpublish_name") => reply(effects, task, unsupported("unpublish")),
            Some("lookup_name") => reply(effects, task, unsupported("lookup")),
            Some("abort") => {
                let message = line.split_once(" error_msg=");
                let message = message.map(|(_, message)| message.to_owned());
                client.has_aborted = true;
                effects.push(Effect::Abort { task, message });
            }
            Some("finalize") => {
                client.finalized = true;
                client.closed = true;
                effects.push(Effect::Reply {
                    task,
                    line: "cmd=finalize_ack rc=0\n".to_owned(),
                    close: true,
                });
            }
            _ => self.protocol_error(task, line, effects),
        }
    }

    fn init(&mut self, task: usize, line: &str, effects: &mut Vec<Effect>) {
        let number = |key| word(line, key).and_then(|text| text.parse::<u32>().ok());
        let version = (number("pmi_version"), number("pmi_subversion").unwrap_or(0));
        let is_ours = matches!(version, (Some(1), 1..));
        let client = &mut self.clients[task];
        client.begun |= is_ours;
        if matches!(version, (Some(2..), _)) {
            effects.push(Effect::Version2 { task });
        }
        reply(
            effects,
            task,
            match is_ours {
                true => "cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1".to_owned(),
                false => format!("cmd=response_to_init rc={FAIL}"),
            },
        );
    }

    fn put(&mut self, task: usize, line: &str, effects: &mut Vec<Effect>) {
        let rc = match (word(line, "key"), line.split_once(" value=")) {
            (Some(key), _) if key.len() >= KEYLEN_MAX => INVALID_KEY_LENGTH,
            (_, Some((_, value))) if value.len() >= VALLEN_MAX => INVALID_VAL_LENGTH,
            (Some(_), Some(_)) if self.keys.len() >= KEYS_MAX => FAIL,
            (Some(key), Some((_, value))) => {
                self.keys.insert(key.to_owned(), value.to_owned());
                if let Some(others) = &mut self.others
                    && !key.starts_with(LOCAL)
                {
                    others.keys.insert(key.to_owned());
                }
                0
            }
            _ => return self.protocol_error(task, line, effects),
        };
        reply(effects, task, format!("cmd=put_result rc={rc}"));
    }

    fn get(&mut self, task: usize, line: &str, effects: &mut Vec<Effect>) {
        let Some(key) = word(line, "key") else {
            return self.protocol_error(task, line, effects);
        };
        let answer = match self.keys.get(key) {
            Some(value) => format!("cmd=get_result rc=0 value={value}"),
            None => format!("cmd=get_result rc={INVALID_KEY}"),
        };
        reply(effects, task, answer);
    }

    fn barrier(&mut self, task: usize, effects: &mut Vec<Effect>) {
        let client = &mut self.clients[task];
        if client.is_late {
            return reply(effects, task, "cmd=barrier_out rc=0".to_owned());
        }
        self.entered += usize::from(!client.in_barrier);
        client.in_barrier = true;
        if self.is_broken {
            self.leave_barrier(FAIL, effects);
        } else if self.entered == self.clients.len() {
            match self.others {
                None => self.leave_barrier(0, effects),
                Some(_) => self.exchange(effects),
            }
        }
    }

    /// Lets those go who are in the barrier.
    fn leave_barrier(&mut self, rc: i32, effects: &mut Vec<Effect>) {
        self.entered = 0;
        for (task, client) in self.clients.iter_mut().enumerate() {
            if std::mem::take(&mut client.in_barrier) && !client.closed {
                reply(effects, task, format!("cmd=barrier_out rc={rc}"));
            }
        }
    }

    fn protocol_error(&mut self, task: usize, line: &str, effects: &mut Vec<Effect>) {
        self.clients[task].closed = true;
        let shown: String = line.chars().take(80).collect();
        effects.push(Effect::Malformed { task, line: shown });
        effects.push(Effect::Reply {
            task,
            line: String::new(),
            close: true,
        });
    }
}

fn reply(effects: &mut Vec<Effect>, task: usize, mut line: String) {
    line.push('\n');
    effects.push(Effect::Reply {
        task,
        line,
        close: false,
    });
}

fn unsupported(command: &str) -> String {
    format!("cmd={command}_result rc={FAIL} msg=command not implemented")
}

#[cfg(test)]
mod tests;
