//! Getting to know the job: a greeting to job-exec, which sends the job and the orders
//! from then on, and a look at the signed request, which alone has the environment.
//!
//! Both are asked at once. The greeting is repeated whenever its stream is lost, because
//! we outlive job-exec.

use std::rc::Rc;
use std::time::Duration;

use node::{Call, Cx};
use proto::data::{Jobspec, sign};
use proto::job_exec::{ShellHello, ShellOrder};
use proto::job_manager::ShellKill;
use proto::kvs::{Found, Lookup, PRIMARY};
use proto::{Errno, Event, Method as _, Refusal, job_shell, service};
use serde_json::{Map, json};

use crate::JobShell;
use crate::array::Array;
use crate::core::RETRY_FIRST;
use crate::job::{Job, JobError, Place};
use crate::log::Level;
use crate::receive::Others;
use crate::state::{Move, State};

impl JobShell {
    /// Asks for everything that is needed to begin.
    pub(crate) fn introduce(&mut self, cx: &mut Cx<Self>) {
        cx.subscribe(&ShellKill::topic_for(&self.launch.id.get().to_string()));
        self.greet(cx);
        self.look_up_environment(cx);
    }

    fn look_up_environment(&mut self, cx: &mut Cx<Self>) {
        let lookup = Lookup::new(PRIMARY, &self.launch.id.kvs_key("J"), 0);
        cx.call(&lookup, |core: &mut JobShell, cx, result| match result {
            Err(error) if error.errno == Errno::EHOSTUNREACH => {
                let wait = core.next_backoff(Lookup::TOPIC, &error);
                cx.timer(wait, JobShell::look_up_environment);
            }
            result => core.signed(cx, result),
        });
    }

    fn greet(&mut self, cx: &mut Cx<Self>) {
        self.greetings += 1;
        let greeting = self.greetings;
        let hello = ShellHello {
            id: self.launch.id,
            rank: self.place.rank,
            pid: self.launch.pid,
            lease: self.launch.lease.clone(),
            again: self.job.is_some(),
        };
        cx.stream_with(Call::new(&hello), move |core: &mut JobShell, cx, result| {
            if core.greetings == greeting {
                core.ordered(cx, result);
            }
        });
    }

    fn ordered(&mut self, cx: &mut Cx<Self>, order: Result<ShellOrder, Refusal>) {
        match order {
            Ok(order) => self.obey(cx, order),
            Err(_) if matches!(self.state(), State::Leaving | State::Gone) => {}
            Err(error) if is_final(&error) => self.abandon(cx, &error),
            Err(error) => {
                let wait = self.next_backoff(ShellHello::TOPIC, &error);
                cx.timer(wait, |core: &mut JobShell, cx| core.greet(cx));
            }
        }
    }

    fn obey(&mut self, cx: &mut Cx<Self>, order: ShellOrder) {
        self.backoff = RETRY_FIRST;
        self.lease = order.lease.map(Duration::from_secs_f64).or(self.lease);
        if let Some(job) = order.job
            && self.state() == State::Greeting
        {
            self.store.stamps.note(job.t_log);
            self.register(cx, job.userid);
            self.told = Some(job);
            self.begin_if_known(cx);
        }
        if let Some(expiration) = order.expiration {
            self.expiration = expiration;
            if self.state() == State::Running {
                self.arm_warning(cx);
                let args = json!({ "expiration": expiration });
                self.announce_topic(cx, "shell.resource-update", &args);
            }
        }
        if let Some(signum) = order.signal {
            // The job is to end, for a reason that is known.
            self.raised = true;
            self.signal_tasks(cx, signum);
            self.stop_starting(cx, signum);
        }
        if order.namespace {
            self.store.open();
            self.send_off(cx);
        }
        match order.lost {
            Some(lost) if self.state() == State::Greeting => self.early_lost.push(lost),
            Some(lost) => self.lost_shells(cx, lost),
            None => {}
        }
    }

    /// Handles losses of other shells that were reported before the shells were known.
    fn heed_early_losses(&mut self, cx: &mut Cx<Self>) {
        for lost in std::mem::take(&mut self.early_lost) {
            self.lost_shells(cx, lost);
        }
    }

    /// Takes requests of clients under the job's own service name. Not waited for: the
    /// name is there before anybody can read it in the log.
    pub(crate) fn register(&mut self, cx: &mut Cx<Self>, userid: u32) {
        let name = job_shell::service_name(userid, self.launch.id);
        cx.set_name(&name);
        cx.call(&service::Add { service: name }, |_, _, result| {
            if let Err(error) = result {
                tracing::error!("service.add: {error}");
            }
        });
    }

    /// The signed request, of which only the environment is wanted: the rest may have been
    /// changed since.
    fn signed(&mut self, cx: &mut Cx<Self>, found: Result<Found, Refusal>) {
        let spec = found
            .map_err(|error| error.to_string())
            .and_then(|found| found.bytes().ok_or("not a value".to_owned()))
            .and_then(|bytes| String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string()))
            .and_then(|request| sign::unwrap_none(&request).map_err(|error| error.to_string()))
            .and_then(|signed| String::from_utf8(signed.payload).map_err(|error| error.to_string()))
            .and_then(|spec| Jobspec::decode(&spec).map_err(|error| error.to_string()));
        let environment = match spec {
            Ok(spec) => {
                let checked = spec.check_attributes().map_err(|invalid| invalid.0);
                checked.map(|()| spec.environment().cloned().unwrap_or_default())
            }
            Err(why) => {
                let message = format!("the job's environment cannot be read: {why}");
                self.log(cx, Level::Error, None, &message);
                Ok(Map::new())
            }
        };
        self.environment = Some(environment);
        self.begin_if_known(cx);
    }

    fn begin_if_known(&mut self, cx: &mut Cx<Self>) {
        if self.state() != State::Greeting || self.told.is_none() {
            return;
        }
        let Some(environment) = self.environment.take() else {
            return;
        };
        let Some(told) = self.told.take() else {
            return;
        };
        if !self.step(Move::Known) {
            return;
        }
        let namespace = told.namespace.clone();
        let place = Place::read(&told);
        if let Ok((place, _)) = place {
            self.place = place;
        }
        if self.place.is_leader() {
            self.others = Others::of(self.place.size);
            self.receive_from_shells(cx);
        }
        let job = place.and_then(|place| {
            let environment = environment.map_err(JobError::Attribute)?;
            Job::new(self.launch.id, told, place, environment)
        });
        match job {
            Ok(job) => {
                let job = Rc::new(job);
                let spec = job.options.array.clone();
                self.array = spec.map(|spec| Array::new(spec, job.is_leader()));
                self.job = Some(job.clone());
                self.heed_early_losses(cx);
                self.serve_rexec(cx);
                self.serve_terminals(cx);
                self.prepare(cx);
            }
            Err(error) => {
                tracing::debug!("{namespace}: {error}");
                self.heed_early_losses(cx);
                self.refuse(cx, &error);
            }
        }
    }

    /// The job cannot be run as it is.
    pub(crate) fn refuse(&mut self, cx: &mut Cx<Self>, error: &JobError) {
        if !self.place.is_leader() {
            // The leading shell finds the same, and says so.
            self.count_code(1);
            return self.end_if_idle(cx);
        }
        self.remark(cx, error.remarks());
        self.fatal_to(cx, 1, error.component(), &error.to_string());
    }
}

/// True if a request refused by job-exec may be repeated: it was restarted, or is busy. A
/// job-exec that does not know the job may not have received our greeting yet; the answer to
/// the greeting decides whether it wants us.
pub(crate) fn may_pass(error: &Refusal) -> bool {
    matches!(
        error.errno,
        Errno::EHOSTUNREACH
            | Errno::ENOSYS
            | Errno::EAGAIN
            | Errno::ENOBUFS
            | Errno::ETIMEDOUT
            | Errno::ENOENT
            | Errno::ESRCH
    )
}

/// True if job-exec will not change its mind.
pub(crate) fn is_final(error: &Refusal) -> bool {
    matches!(
        error.errno,
        Errno::ESRCH | Errno::ECANCELED | Errno::EPERM | Errno::EPROTO
    )
}
