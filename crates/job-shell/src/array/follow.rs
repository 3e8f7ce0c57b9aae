//! The other shells of an array: they ask the leading one for elements before they run out of
//! them, and report the ends of elements. Both are asked again until they are answered.

use std::collections::VecDeque;
use std::time::Duration;

use node::{Call, Cx};
use proto::data::IdSet;
use proto::data::array::{Ended, How, ended_line};
use proto::job_shell::{ArrayEnded, ArrayHanded, ArrayNext, service_name};
use proto::{Method as _, Refusal};

use super::Part;
use super::book::Item;
use crate::JobShell;
use crate::core::RETRY_FIRST;
use crate::greet::may_pass;
use crate::limits::{ARRAY_LOG_LINE_ELEMENTS_MAX, ARRAY_SUPPLY_MAX, ARRAY_TELL_MS};

/// Elements given to a following shell, and the results to report.
#[derive(Debug, Default)]
pub(crate) struct Supply {
    items: VecDeque<Item>,
    /// Number of the last answer.
    seq: u64,
    is_asking: bool,
    /// Nothing more will come.
    is_over: bool,
    /// Elements whose end the leading shell does not know.
    pub(super) ended: Vec<Ended>,
    is_telling: bool,
    /// True if results are gathered for a while.
    is_gathering: bool,
    /// Elements that had ended when we asked last.
    ended_at_ask: u64,
}

impl Supply {
    pub(super) fn next(&mut self) -> Option<Item> {
        self.items.pop_front()
    }

    /// True if nothing is left to run or to report.
    pub(super) fn is_done(&self) -> bool {
        self.is_over && self.items.is_empty() && self.ended.is_empty() && !self.is_telling
    }

    /// Starts nothing more, and reports that.
    pub(super) fn stop(&mut self) {
        self.is_over = true;
        self.give_up(|_| true);
    }

    /// Elements that are not started, and have ended with that.
    pub(super) fn give_up(&mut self, is_meant: impl Fn(u32) -> bool) {
        let items = std::mem::take(&mut self.items);
        let (meant, left): (Vec<Item>, Vec<Item>) =
            items.into_iter().partition(|item| is_meant(item.index));
        self.items = left.into();
        self.ended.extend(meant.into_iter().map(|item| Ended {
            index: item.index,
            shell: 0,
            tries: item.tries,
            start: 0.0,
            runtime: 0.0,
            how: How::NeverRan,
        }));
    }

    fn take(&mut self, handed: &ArrayHanded) {
        if handed.seq == self.seq {
            return;
        }
        self.seq = handed.seq;
        self.is_over |= handed.is_over;
        // The message of the leading shell is a set.
        let indices: IdSet = handed.indices.parse().unwrap_or_default();
        let most = usize::try_from(ARRAY_SUPPLY_MAX).unwrap_or(usize::MAX);
        let tries = |index| handed.tries.get(&index).copied().unwrap_or(0);
        self.items
            .extend(indices.iter().take(most).map(|index| Item {
                index,
                tries: tries(index),
            }));
    }
}

impl JobShell {
    fn supply(&mut self) -> Option<&mut Supply> {
        match self.array_parts()?.0 {
            Part::Lead(_) => None,
            Part::Follow(supply) => Some(supply),
        }
    }

    /// Asks for elements if few are left, and reports ended ones to the leading shell.
    pub(super) fn ask_for_supply(&mut self, cx: &mut Cx<Self>) {
        self.report_ended(cx, false);
        let shell = self.place.rank;
        let Some(array) = &mut self.array else {
            return;
        };
        let (slots, n_ended) = (array.running.len(), array.n_ended);
        let Part::Follow(supply) = &mut array.part else {
            return;
        };
        if supply.is_asking || supply.is_over || supply.items.len() > slots / 2 {
            return;
        }
        // As many as have ended since we asked last, for as long again.
        let recent = n_ended.saturating_sub(supply.ended_at_ask);
        supply.ended_at_ask = n_ended;
        supply.is_asking = true;
        let slots = slots as u64;
        let next = ArrayNext {
            shell,
            after: supply.seq,
            slots,
            want: (recent.saturating_mul(2)).clamp(slots.max(1), ARRAY_SUPPLY_MAX),
        };
        self.send_ask(cx, next);
    }

    fn send_ask(&mut self, cx: &mut Cx<Self>, next: ArrayNext) {
        let Some((rank, topic)) = self.leader_topic(ArrayNext::TOPIC) else {
            return;
        };
        let call = Call::new(&next).to(rank).topic(&topic);
        cx.call_with(call, move |core: &mut JobShell, cx, result| match result {
            Ok(handed) => {
                core.backoff = RETRY_FIRST;
                if let Some(supply) = core.supply() {
                    supply.is_asking = false;
                    supply.take(&handed);
                }
                core.fill_slots(cx);
            }
            Err(error) => core.ask_again(cx, &error, ArrayNext::TOPIC, move |core, cx| {
                core.send_ask(cx, next);
            }),
        });
    }

    /// Reports ended elements to the leading shell: after a while, or now.
    fn report_ended(&mut self, cx: &mut Cx<Self>, now: bool) {
        let shell = self.place.rank;
        let Some(supply) = self.supply() else {
            return;
        };
        if supply.is_telling || supply.ended.is_empty() {
            return;
        }
        // Slots that are empty do not wait, and neither does the end.
        let is_urgent = now || supply.is_over || supply.items.is_empty();
        if !is_urgent {
            if !std::mem::replace(&mut supply.is_gathering, true) {
                let wait = Duration::from_millis(ARRAY_TELL_MS);
                cx.timer(wait, |core: &mut JobShell, cx| {
                    if let Some(supply) = core.supply() {
                        supply.is_gathering = false;
                    }
                    core.report_ended(cx, true);
                });
            }
            return;
        }
        let n = supply.ended.len().min(ARRAY_LOG_LINE_ELEMENTS_MAX);
        let elements: Vec<Ended> = supply.ended.drain(..n).collect();
        supply.is_telling = true;
        let line = ended_line(&elements);
        self.send_ended(cx, ArrayEnded { shell, line });
    }

    fn send_ended(&mut self, cx: &mut Cx<Self>, ended: ArrayEnded) {
        let Some((rank, topic)) = self.leader_topic(ArrayEnded::TOPIC) else {
            return;
        };
        let call = Call::new(&ended).to(rank).topic(&topic);
        cx.call_with(call, move |core: &mut JobShell, cx, result| match result {
            Ok(_) => {
                core.backoff = RETRY_FIRST;
                core.ended_told(cx);
            }
            Err(error) => core.ask_again(cx, &error, ArrayEnded::TOPIC, move |core, cx| {
                core.send_ended(cx, ended);
            }),
        });
    }

    fn ended_told(&mut self, cx: &mut Cx<Self>) {
        if let Some(supply) = self.supply() {
            supply.is_telling = false;
        }
        self.fill_slots(cx);
    }

    /// The leading shell has not answered: asks again after a while, as long as the job lasts.
    fn ask_again(
        &mut self,
        cx: &mut Cx<Self>,
        error: &Refusal,
        topic: &str,
        again: impl FnOnce(&mut JobShell, &mut Cx<JobShell>) + 'static,
    ) {
        let is_wanted = self.supply().is_some_and(|supply| !supply.is_over);
        if is_wanted && may_pass(error) {
            let wait = self.next_backoff(topic, error);
            cx.timer(wait, again);
            return;
        }
        tracing::debug!("job={} {topic}: {error}", self.launch.id);
        if let Some(supply) = self.supply() {
            // Nobody hears us: the job is being ended, and so are its elements.
            supply.stop();
            supply.ended.clear();
            (supply.is_asking, supply.is_telling) = (false, false);
        }
        self.end_if_idle(cx);
    }

    /// The rank of the leading shell, and the topic of a method there.
    pub(crate) fn leader_topic(&self, topic: &str) -> Option<(u32, String)> {
        let job = self.job.as_ref()?;
        let leader = job.nodes.first()?.rank;
        let verb = topic.rsplit('.').next()?;
        Some((
            leader,
            format!("{}.{verb}", service_name(job.userid, job.id)),
        ))
    }
}
