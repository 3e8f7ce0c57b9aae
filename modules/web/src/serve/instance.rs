//! The instance that is shown: one connection to its broker and one thread for the questions of
//! all browsers. Nothing is asked unless a browser asks.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::Builder;

use client::{Answered, Arrival, Call, CallId, Handle, Options};
use proto::{Delivery, Errno, Refusal};
use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use wire::Message;

use crate::limits::{CALL_WAIT, CALLS_MAX};

/// A way to the instance, which can be cloned. The connection ends with the last one.
#[derive(Clone)]
pub struct Instance {
    line: Arc<Line>,
    seats: Arc<Semaphore>,
}

/// To the thread that has the connection.
struct Line {
    orders: Option<Sender<Order>>,
    wake: Arc<OwnedFd>,
}

/// Sends a request, and names the receiver of its answers.
type Order = Box<dyn FnOnce(&mut Handle) -> (CallId, Waiting) + Send>;

/// The receiver of the answers to a request.
struct Waiting {
    answers: UnboundedSender<Result<Message, Refusal>>,
    is_stream: bool,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.orders = None;
        self.ring();
    }
}

impl Line {
    fn ring(&self) {
        // It fails only if it is ringing already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

impl Instance {
    /// Connects to the broker at `uri`.
    pub fn connect(uri: &str) -> Result<Instance, String> {
        let failed = |what: &str| format!("cannot ask the instance at {uri}: {what}");
        let handle = Handle::open(Some(uri), &Options::default());
        let handle = handle.map_err(|error| failed(&error.to_string()))?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let wake = Arc::new(wake.map_err(|error| failed(&error.to_string()))?);
        let (orders, todo) = channel();
        let rung = wake.clone();
        Builder::new()
            .name("instance".to_owned())
            .spawn(move || ask(handle, &todo, &rung))
            .map_err(|error| failed(&error.to_string()))?;
        Ok(Instance {
            line: Arc::new(Line {
                orders: Some(orders),
                wake,
            }),
            seats: Arc::new(Semaphore::new(CALLS_MAX)),
        })
    }

    /// Calls a method anywhere in the instance.
    pub async fn rpc<M: proto::Method>(&self, request: &M) -> Result<M::Response, Refusal> {
        self.call(Call::new(request)).await
    }

    /// Makes a call, such as one to a certain rank.
    pub async fn call<M: Answered + 'static>(&self, call: Call<M>) -> Result<M::Answer, Refusal> {
        let _seat = self.seats.acquire().await;
        let mut answers = self.order(call, false);
        let answer = answers.recv().await;
        answer.unwrap_or(Err(gone())).and_then(M::decode)
    }

    /// Makes a streaming call and folds its answers until its regular end.
    pub async fn gather<M: Answered + 'static>(
        &self,
        call: Call<M>,
        mut take: impl FnMut(M::Answer),
    ) -> Result<(), Refusal> {
        let _seat = self.seats.acquire().await;
        let mut answers = self.order(call, true);
        loop {
            match answers.recv().await.unwrap_or(Err(gone())) {
                Ok(answer) => take(M::decode(answer)?),
                Err(end) if end == Refusal::END => return Ok(()),
                Err(refusal) => return Err(refusal),
            }
        }
    }

    fn order<M: Answered + 'static>(
        &self,
        call: Call<M>,
        is_stream: bool,
    ) -> UnboundedReceiver<Result<Message, Refusal>> {
        let (answers, taken) = mpsc::unbounded_channel();
        let call = call.delivery(Delivery::Wait {
            deadline: Some(CALL_WAIT),
        });
        let order: Order = Box::new(move |handle| {
            let id = match is_stream {
                true => handle.start_stream(call).id(),
                false => handle.start(call).id(),
            };
            (id, Waiting { answers, is_stream })
        });
        if let Some(orders) = &self.line.orders {
            // Without a thread the answers end at once.
            let _ = orders.send(order);
            self.line.ring();
        }
        taken
    }
}

fn gone() -> Refusal {
    Refusal::new(
        Errno::EHOSTUNREACH,
        "the connection to the instance is lost",
    )
}

/// Sends what is ordered and hands out the answers, until nobody can order any more or the broker
/// has disconnected.
fn ask(mut handle: Handle, orders: &Receiver<Order>, wake: &OwnedFd) {
    let mut waiting: BTreeMap<CallId, Waiting> = BTreeMap::new();
    loop {
        loop {
            match orders.try_recv() {
                Ok(order) => {
                    let (id, who) = order(&mut handle);
                    waiting.insert(id, who);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        match handle.next(&[wake.as_fd()], None) {
            Ok(Arrival::Answer(id, answer)) => give(&mut handle, &mut waiting, id, answer),
            Ok(Arrival::Ready(_)) => {
                let mut count = [0; 8];
                let _ = rustix::io::read(wake, &mut count);
            }
            Ok(_) => {}
            Err(refusal) => {
                return tracing::warn!("the connection to the broker is lost: {refusal}");
            }
        }
    }
}

fn give(
    handle: &mut Handle,
    waiting: &mut BTreeMap<CallId, Waiting>,
    id: CallId,
    answer: Result<Message, Refusal>,
) {
    let Some(who) = waiting.get(&id) else { return };
    let is_last = !who.is_stream || answer.is_err();
    let is_taken = who.answers.send(answer).is_ok();
    if is_last || !is_taken {
        waiting.remove(&id);
    }
    if !is_last && !is_taken {
        // The browser has left.
        handle.forget(id);
    }
}
