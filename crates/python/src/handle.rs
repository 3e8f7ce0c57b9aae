//! The connection: requests out, arrivals in.
//!
//! A handle may be used by one thread at a time, and only in the process that opened it.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use client::{Arrival, Call, CallId, Options, Untyped};
use proto::data::logline::split_message;
use proto::data::{LogLevel, LogLine};
use proto::{Errno, Outcome, Refusal};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rustix::process::{Pid, getpid};

use crate::error::{of_errno, of_open, of_refusal};
use crate::message::Message;

/// The rank that stands for the nearest provider above.
const NODEID_UPSTREAM: u32 = 0xffff_fffe;
/// Flags of a call: flux_rpc(3).
const RPC_NORESPONSE: u32 = 1;
const RPC_STREAMING: u32 = 2;

/// A connection to a broker. One thread at a time may use it.
#[pyclass(frozen, module = "flux._core")]
pub struct Handle {
    /// None once it is closed.
    handle: Mutex<Option<client::Handle>>,
    /// The process that opened it.
    owner: Pid,
}

#[pymethods]
impl Handle {
    /// Connects to `uri`; None means FLUX_URI, or the system instance.
    ///
    /// OSError: there is no broker, or it does not let us in.
    #[new]
    #[pyo3(signature = (uri=None))]
    fn new(py: Python<'_>, uri: Option<&str>) -> PyResult<Handle> {
        let opened = py.detach(|| {
            let env: Vec<_> = std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .filter_map(|(name, value)| Some((name, value.into_string().ok()?)))
                .collect();
            let options = Options::from_env(|name| {
                let pair = env.iter().find(|(known, _)| known == name);
                pair.map(|(_, value)| value.as_str())
            })?;
            client::Handle::open(uri, &options)
        });
        Ok(Handle {
            handle: Mutex::new(Some(opened.map_err(|error| of_open(&error))?)),
            owner: getpid(),
        })
    }

    /// Closes the connection, once what was sent has been read. May be called twice.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let handle = self.lock()?.take();
        py.detach(|| drop(handle));
        Ok(())
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> PyResult<bool> {
        Ok(self.lock()?.is_none())
    }

    /// The descriptor to poll.
    fn fileno(&self) -> PyResult<i32> {
        self.with(|handle| handle.as_fd().as_raw_fd())
    }

    /// Whether to poll for the descriptor to be writable too.
    fn wants_to_write(&self) -> PyResult<bool> {
        self.with(|handle| handle.wants_to_write())
    }

    /// Whether anything has arrived and not been taken.
    fn has_arrivals(&self) -> PyResult<bool> {
        self.with(|handle| handle.has_arrivals())
    }

    /// Sends a request and gives back the matchtag of its answers; 0 with
    /// FLUX_RPC_NORESPONSE. Blocks only while the broker has megabytes of ours to read.
    #[pyo3(signature = (topic, payload=None, nodeid=wire::NODEID_ANY, flags=0))]
    fn request(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: Option<&[u8]>,
        nodeid: u32,
        flags: u32,
    ) -> PyResult<u32> {
        let call = Call::raw(topic).payload(Bytes::copy_from_slice(payload.unwrap_or_default()));
        let call = match nodeid {
            NODEID_UPSTREAM => call.upstream(),
            wire::NODEID_ANY => call,
            rank => call.to(rank),
        };
        let started = self.detached(py, |handle| start(handle, call, flags))?;
        started.map_err(|refusal| of_refusal(&refusal))
    }

    /// Blocks until the next answer of a call, at most `timeout` seconds; None means that
    /// they have passed.
    ///
    /// OSError: the service refused it, or the stream has ended (ENODATA).
    #[pyo3(signature = (matchtag, timeout=None))]
    fn wait(
        &self,
        py: Python<'_>,
        matchtag: u32,
        timeout: Option<f64>,
    ) -> PyResult<Option<Message>> {
        let id = CallId::of_matchtag(matchtag);
        let deadline = deadline_in(timeout);
        loop {
            let (answer, is_waiting) =
                self.with(|handle| (handle.take_answer(id), handle.is_waiting(id)))?;
            match answer {
                Some(Ok(message)) => return Ok(Some(Message(message))),
                Some(Err(refusal)) => return Err(of_refusal(&refusal)),
                None if !is_waiting => {
                    let text = "no call waits for this: it was answered, or never made";
                    return Err(of_errno(Errno::EINVAL, text));
                }
                None if has_passed(deadline) => return Ok(None),
                None => self.turn_until(py, deadline, |handle| handle.is_waiting(id))?,
            }
        }
    }

    /// Waits once for what arrives, at most `timeout` seconds, and takes it in. It returns
    /// early for no reason, as when a signal was handled.
    #[pyo3(signature = (timeout=None))]
    fn turn(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        self.turn_until(py, deadline_in(timeout), |_| false)
    }

    /// The first that has arrived, or None: (matchtag, Message) is an answer, and
    /// (matchtag, OSError) the last one; (0, Message) is an event or a request, and
    /// (0, OSError) the loss of events.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(first) = self.with(|handle| handle.take_first())? else {
            return Ok(None);
        };
        let (matchtag, arrived) = match first {
            Ok(Arrival::Answer(id, answer)) => (id.matchtag(), answer),
            Ok(Arrival::Event(message) | Arrival::Request(message)) => (0, Ok(message)),
            Ok(Arrival::Ready(_) | Arrival::Deadline) => return Ok(None),
            Err(lost) => (0, Err(lost)),
        };
        let arrived = match arrived {
            Ok(message) => Bound::new(py, Message(message))?.into_any(),
            Err(refusal) => of_refusal(&refusal)
                .into_value(py)
                .into_bound(py)
                .into_any(),
        };
        PyTuple::new(py, [matchtag.into_pyobject(py)?.into_any(), arrived]).map(Some)
    }

    /// The first answer of a call that has arrived, or None. Does not block.
    ///
    /// OSError: as of `wait`.
    fn take_answer(&self, matchtag: u32) -> PyResult<Option<Message>> {
        let id = CallId::of_matchtag(matchtag);
        match self.with(|handle| handle.take_answer(id))? {
            Some(Err(refusal)) => Err(of_refusal(&refusal)),
            Some(Ok(message)) => Ok(Some(Message(message))),
            None => Ok(None),
        }
    }

    /// The first event that has arrived, or None. Does not block.
    ///
    /// OSError with ENOBUFS: events were lost.
    fn take_event(&self) -> PyResult<Option<Message>> {
        match self.with(|handle| handle.take_event())? {
            Some(Err(lost)) => Err(of_refusal(&lost)),
            Some(Ok(event)) => Ok(Some(Message(event))),
            None => Ok(None),
        }
    }

    /// The first request to a service of ours that has arrived, or None. Does not block.
    fn take_request(&self) -> PyResult<Option<Message>> {
        let request = self.with(|handle| handle.take_request())?;
        Ok(request.map(Message))
    }

    /// Stops waiting for a call; later answers are thrown away.
    fn forget(&self, matchtag: u32) -> PyResult<()> {
        self.with(|handle| handle.forget(CallId::of_matchtag(matchtag)))
    }

    /// Sends a message as it is.
    fn send(&self, py: Python<'_>, message: &Message) -> PyResult<()> {
        let message = message.0.clone();
        self.detached(py, |handle| handle.send_message(message))
    }

    /// Answers `request`; with an error number other than 0 refuses it, or ends a stream. To
    /// a request that wants no answer none is sent.
    #[pyo3(signature = (request, payload=None, errnum=0))]
    fn respond(
        &self,
        py: Python<'_>,
        request: &Message,
        payload: Option<&[u8]>,
        errnum: u32,
    ) -> PyResult<()> {
        if !request.0.wants_response() {
            return Ok(());
        }
        let payload = Bytes::copy_from_slice(payload.unwrap_or_default());
        let response = wire::Message::respond_to(&request.0, errnum, payload);
        self.detached(py, |handle| handle.send_message(response))
    }

    /// Blocks until the broker has read everything that was sent.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        while self.wants_to_write()? {
            self.turn_until(py, None, |_| false)?;
        }
        Ok(())
    }

    /// Adds lines to the broker's log, one for each of `text`. `level` is that of syslog(3),
    /// `rank` that of the broker.
    ///
    /// ValueError: there is no such level.
    fn log(
        &self,
        py: Python<'_>,
        level: i64,
        rank: u32,
        appname: &str,
        text: &str,
    ) -> PyResult<()> {
        let level = LogLevel::from_number(level)
            .map_err(|_| PyValueError::new_err("levels are 0 (emerg) to 7 (debug)"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let time_us = now.and_then(|now| i64::try_from(now.as_micros()).ok());
        self.detached(py, |handle| {
            for message in split_message(text) {
                let line = LogLine::new(level, time_us.unwrap_or(0), rank, appname, message);
                handle.append_log(line.encode().into());
            }
        })
    }
}

impl Handle {
    fn lock(&self) -> PyResult<MutexGuard<'_, Option<client::Handle>>> {
        if self.owner != getpid() {
            let text = "this handle was opened before the fork: open another with flux.Flux()";
            return Err(PyRuntimeError::new_err(text));
        }
        match self.handle.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let text = "another thread waits on this handle: open one for each thread";
                Err(PyRuntimeError::new_err(text))
            }
        }
    }

    /// Does what does not block.
    fn with<T>(&self, act: impl FnOnce(&mut client::Handle) -> T) -> PyResult<T> {
        match &mut *self.lock()? {
            Some(handle) => Ok(act(handle)),
            None => Err(PyValueError::new_err("this handle is closed")),
        }
    }

    /// Does what may block, while other threads run.
    fn detached<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut client::Handle) -> T + Send,
    ) -> PyResult<T> {
        match &mut *self.lock()? {
            Some(handle) => Ok(py.detach(|| act(handle))),
            None => Err(PyValueError::new_err("this handle is closed")),
        }
    }

    /// One turn, then the handlers of signals. The loss of the connection is an error, unless
    /// `is_told` says that the caller hears of it otherwise.
    fn turn_until(
        &self,
        py: Python<'_>,
        deadline: Option<Instant>,
        is_told: impl FnOnce(&client::Handle) -> bool + Send,
    ) -> PyResult<()> {
        let turned = self.detached(py, |handle| {
            let told = is_told(handle);
            let turned = handle.turn(deadline);
            if told { Ok(()) } else { turned }
        })?;
        py.check_signals()?;
        turned.map_err(|refusal| of_refusal(&refusal))
    }
}

/// A handle that a child of fork(2) has inherited is its parent's: the child sends nothing.
impl Drop for Handle {
    fn drop(&mut self) {
        if self.owner != getpid()
            && let Ok(handle) = self.handle.get_mut()
        {
            std::mem::forget(handle.take());
        }
    }
}

fn start(handle: &mut client::Handle, call: Call<Untyped>, flags: u32) -> Result<u32, Refusal> {
    if flags & RPC_NORESPONSE != 0 {
        return match handle.notify(call) {
            Outcome::Delivered => Ok(0),
            outcome => Err(Refusal::stopped(Errno::ECONNRESET, outcome)),
        };
    }
    let pending = match flags & RPC_STREAMING {
        0 => handle.start(call),
        _ => handle.start_stream(call),
    };
    Ok(pending.id().matchtag())
}

/// When some seconds have passed; none, or more than the clock can tell, is never.
fn deadline_in(timeout: Option<f64>) -> Option<Instant> {
    let timeout = Duration::try_from_secs_f64(timeout?.max(0.0)).ok()?;
    Instant::now().checked_add(timeout)
}

fn has_passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}
