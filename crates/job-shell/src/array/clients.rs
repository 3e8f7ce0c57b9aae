//! Requests of clients about an array: show its progress, cancel elements, rerun some.

use node::{Call, Cx, Peer};
use proto::Method as _;
use proto::data::IdSet;
use proto::data::array::{Ended, How};
use proto::job_shell::{
    ArrayCancel, ArrayChanged, ArrayError, ArrayProgress, ArrayRetry, ArrayState, service_name,
};

use super::Part;
use crate::JobShell;

impl JobShell {
    /// shell.array-state
    pub(crate) fn array_state(
        &mut self,
        _: &mut Cx<Self>,
        peer: &Peer,
        _: ArrayState,
    ) -> Result<ArrayProgress, ArrayError> {
        self.may_lead(peer)?;
        let lead = self.lead().ok_or(ArrayError::NotLeading)?;
        let counts = lead.book.counts();
        let out = lead.book.out_by_shell();
        Ok(ArrayProgress {
            good: counts.good,
            failed: counts.failed,
            out: out.map(|(shell, set)| (shell, set.to_string())).collect(),
        })
    }

    /// shell.array-cancel
    pub(crate) fn array_cancel(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        cancel: ArrayCancel,
    ) -> Result<ArrayChanged, ArrayError> {
        let set: IdSet = cancel.indices.parse().map_err(|_| ArrayError::Malformed)?;
        match self.may_lead(peer) {
            Ok(()) => self.cancel_elements(cx, &set),
            // The leading shell has told us.
            Err(ArrayError::NotLeading) => {
                if let Some((Part::Follow(supply), _)) = self.array_parts() {
                    supply.give_up(|index| set.contains(index));
                }
                self.cancel_running(cx, &set);
                self.fill_slots(cx);
                Ok(ArrayChanged::default())
            }
            Err(error) => Err(error),
        }
    }

    fn cancel_elements(
        &mut self,
        cx: &mut Cx<Self>,
        set: &IdSet,
    ) -> Result<ArrayChanged, ArrayError> {
        let now = cx.now().wall;
        let lead = self.lead().ok_or(ArrayError::NotLeading)?;
        check_known(set, lead.book.all())?;
        let canceled = lead.book.cancel(set);
        for index in canceled.waiting.iter() {
            let ended = Ended {
                index,
                shell: 0,
                tries: 0,
                start: now,
                runtime: 0.0,
                how: How::NeverRan,
            };
            self.write_down(cx, ended);
        }
        let mut running = IdSet::new();
        for (shell, out) in canceled.out {
            running.add(&out);
            match shell {
                0 => self.cancel_running(cx, &out),
                shell => self.cancel_on(cx, shell, &out),
            }
        }
        self.fill_slots(cx);
        Ok(ArrayChanged {
            waiting: canceled.waiting.to_string(),
            running: running.to_string(),
        })
    }

    /// Has another shell cancel the elements of these that it holds. One that cannot be
    /// asked ends with its elements anyway, or they run to their end.
    fn cancel_on(&mut self, cx: &mut Cx<Self>, shell: u32, set: &IdSet) {
        let Some(job) = self.job.clone() else {
            return;
        };
        let Some(node) = job.nodes.get(shell as usize) else {
            return;
        };
        let verb = ArrayCancel::TOPIC.rsplit('.').next().unwrap_or_default();
        let topic = format!("{}.{verb}", service_name(job.userid, job.id));
        let cancel = ArrayCancel {
            indices: set.to_string(),
        };
        let call = Call::new(&cancel).to(node.rank).topic(&topic);
        cx.call_with(call, move |core: &mut JobShell, cx, result| {
            if let Err(error) = result {
                let text = format!("elements on shell {shell} were not cancelled: {error}");
                core.warn(cx, "array", &text);
            }
        });
    }

    /// shell.array-retry
    pub(crate) fn array_retry(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        retry: ArrayRetry,
    ) -> Result<ArrayChanged, ArrayError> {
        let set: IdSet = retry.indices.parse().map_err(|_| ArrayError::Malformed)?;
        self.may_lead(peer)?;
        let lead = self.lead().ok_or(ArrayError::NotLeading)?;
        check_known(&set, lead.book.all())?;
        if lead.book.is_done() || lead.book.is_stopped() {
            return Err(ArrayError::Over);
        }
        let again = lead.book.retry(&set);
        self.fill_slots(cx);
        Ok(ArrayChanged {
            waiting: again.to_string(),
            running: String::new(),
        })
    }
}

fn check_known(set: &IdSet, all: &IdSet) -> Result<(), ArrayError> {
    match !set.is_empty() && set.is_subset(all) {
        true => Ok(()),
        false => Err(ArrayError::NoElement),
    }
}
