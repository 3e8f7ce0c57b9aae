//! The leading shell of an array: it takes in how elements ended, writes them down a few times a
//! second, and hands elements to the other shells.

use std::collections::BTreeMap;
use std::time::Duration;

use node::{Cx, Peer, Reply, StreamId};
use proto::Empty;
use proto::data::IdSet;
use proto::data::array::{ArraySpec, Ended, History, ended_line};
use proto::job_manager::Memo;
use proto::job_shell::{ArrayEnded, ArrayError, ArrayHanded, ArrayNext};
use serde_json::json;

use super::book::{Book, Item, Verdict};
use super::{Array, Part};
use crate::JobShell;
use crate::limits::{
    ARRAY_LOG_GATHER_MS, ARRAY_LOG_LINE_ELEMENTS_MAX, ARRAY_MEMO_S, ARRAY_SUPPLY_MAX,
};
use crate::log::Level;

/// State of the leading shell besides its slots.
#[derive(Debug)]
pub(crate) struct Lead {
    pub(super) book: Book,
    /// Elements that have ended and are not in the log.
    rows: Vec<Ended>,
    /// True if they are being gathered.
    is_gathering: bool,
    /// True if a memo is due after a while.
    is_memo_due: bool,
    /// The last answer to each shell, until it has it.
    handed: BTreeMap<u32, ArrayHanded>,
    /// Shells that wait for elements: one question of each.
    asking: BTreeMap<u32, (Reply<ArrayNext>, ArrayNext)>,
}

impl Lead {
    pub(super) fn new(spec: &ArraySpec) -> Lead {
        Lead {
            book: Book::new(spec),
            rows: Vec::new(),
            is_gathering: false,
            is_memo_due: false,
            handed: BTreeMap::new(),
            asking: BTreeMap::new(),
        }
    }
}

impl JobShell {
    pub(super) fn array_parts(&mut self) -> Option<(&mut Part, &ArraySpec)> {
        let Array { part, spec, .. } = self.array.as_mut()?;
        Some((part, spec))
    }

    pub(super) fn lead(&mut self) -> Option<&mut Lead> {
        match self.array_parts()?.0 {
            Part::Lead(lead) => Some(lead),
            Part::Follow(_) => None,
        }
    }

    /// An element has ended, here or elsewhere.
    pub(super) fn receive_end(&mut self, cx: &mut Cx<Self>, ended: Ended) {
        let Some(lead) = self.lead() else {
            return;
        };
        let verdict = lead.book.ended(ended);
        self.receive_verdict(cx, verdict);
    }

    fn receive_verdict(&mut self, cx: &mut Cx<Self>, verdict: Verdict) {
        let Verdict::Final(ended) = verdict else {
            return;
        };
        self.write_down(cx, ended);
        let is_fatal = self.job.as_ref();
        let is_fatal = is_fatal.is_some_and(|job| job.options.exit_on_error);
        if is_fatal && !ended.how.is_good() && !self.raised {
            self.count_code(ended.how.code());
            let (index, word) = (ended.index, ended.how.word());
            let note = format!("element {index}: {word}, and exit-on-error is set");
            self.log(cx, Level::Fatal, Some("array"), &note);
            let status = ended.how.status().map(|status| status.0);
            self.stop_array();
            self.raise(cx, &note, status);
        }
    }

    /// Writes the end of an element into the log.
    pub(super) fn write_down(&mut self, cx: &mut Cx<Self>, ended: Ended) {
        let Some(lead) = self.lead() else {
            return;
        };
        lead.rows.push(ended);
        let is_much = lead.rows.len() >= ARRAY_LOG_LINE_ELEMENTS_MAX;
        let is_first = !std::mem::replace(&mut lead.is_gathering, true);
        let is_memo_new = !std::mem::replace(&mut lead.is_memo_due, true);
        if is_much {
            self.pack_array();
        }
        if is_first {
            let wait = Duration::from_millis(ARRAY_LOG_GATHER_MS);
            cx.timer(wait, |core: &mut JobShell, cx| {
                core.pack_array();
                if let Some(lead) = core.lead() {
                    lead.is_gathering = false;
                }
                core.send_off(cx);
            });
        }
        if is_memo_new {
            cx.timer(
                Duration::from_secs(ARRAY_MEMO_S),
                |core: &mut JobShell, cx| {
                    core.post_memo(cx, true);
                },
            );
        }
    }

    /// Makes a line of the log of the elements that have gathered.
    pub(crate) fn pack_array(&mut self) {
        let rows = self.lead().map(|lead| std::mem::take(&mut lead.rows));
        for rows in rows.unwrap_or_default().chunks(ARRAY_LOG_LINE_ELEMENTS_MAX) {
            self.store.array += &ended_line(rows);
        }
    }

    /// Writes the progress of the array into the job's annotations.
    fn post_memo(&mut self, cx: &mut Cx<Self>, is_volatile: bool) {
        let id = self.launch.id;
        let Some(lead) = self.lead() else {
            return;
        };
        if is_volatile && !std::mem::take(&mut lead.is_memo_due) {
            return;
        }
        lead.is_memo_due = false;
        let counts = lead.book.counts();
        let mut text = format!("{}/{} done", counts.good, counts.all);
        if counts.failed > 0 {
            text += &format!(", {} failed", counts.failed);
        }
        let memo = Memo {
            id,
            memo: json!({ "array": text }),
            volatile: is_volatile.then_some(true),
        };
        cx.call(&memo, |_, _, result| {
            if let Err(error) = result {
                tracing::debug!("job-manager.memo: {error}");
            }
        });
    }

    /// Prints the final messages.
    pub(crate) fn sum_up_array(&mut self, cx: &mut Cx<Self>) {
        let Some(lead) = self.lead() else {
            return;
        };
        let code = lead.book.code();
        self.count_code(code);
        self.pack_array();
        self.post_memo(cx, false);
    }

    /// Handles the loss of shells with their elements.
    pub(crate) fn lost_elements(&mut self, cx: &mut Cx<Self>, shell: u32) {
        let now = cx.now().wall;
        let Some(lead) = self.lead() else {
            return;
        };
        if let Some((reply, _)) = lead.asking.remove(&shell) {
            reply.forget();
        }
        lead.handed.remove(&shell);
        for verdict in lead.book.lost(shell, now) {
            self.receive_verdict(cx, verdict);
        }
        self.fill_slots(cx);
    }

    /// A question of another shell, or of nobody any more, was taken back.
    pub(crate) fn forget_asking(&mut self, request: StreamId) {
        let Some(lead) = self.lead() else {
            return;
        };
        let mut asking = lead.asking.iter();
        let shell = asking.find(|(_, (reply, _))| reply.id() == request);
        let shell = shell.map(|(shell, _)| *shell);
        if let Some((reply, _)) = shell.and_then(|shell| lead.asking.remove(&shell)) {
            reply.forget();
        }
    }

    /// shell.array-next
    pub(crate) fn array_next(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        next: ArrayNext,
        reply: Reply<ArrayNext>,
    ) {
        if let Err(error) = self.may_lead(peer) {
            return reply.send(cx, Err(error));
        }
        let is_strange = next.shell == 0 || next.shell >= self.place.size;
        let Some(lead) = self.lead().filter(|_| !is_strange) else {
            return reply.send(cx, Err(ArrayError::NotLeading));
        };
        if let Some(handed) = lead.handed.get(&next.shell)
            && handed.seq != next.after
        {
            let handed = handed.clone();
            return reply.send(cx, Ok(handed));
        }
        if let Some((before, _)) = lead.asking.insert(next.shell, (reply, next)) {
            // It has asked again: nobody waits for the first answer.
            before.forget();
        }
        self.serve_shells(cx);
    }

    /// Answers waiting shells, as far as there is something to send.
    pub(super) fn serve_shells(&mut self, cx: &mut Cx<Self>) {
        let shells = u64::from(self.place.size);
        let Some(lead) = self.lead() else {
            return;
        };
        let is_over = lead.book.is_done();
        if !is_over && !lead.book.has_waiting() {
            return;
        }
        let waiting: Vec<u32> = lead.asking.keys().copied().collect();
        for shell in waiting {
            let Some((_, ask)) = lead.asking.get(&shell) else {
                continue;
            };
            let want = ask.want.min(ARRAY_SUPPLY_MAX);
            // As we know it now, not as it was when it asked.
            let slots = ask.slots.min(ARRAY_SUPPLY_MAX);
            let free = slots.saturating_sub(lead.book.n_out_of(shell));
            let items = lead.book.hand_out(shell, free, want, shells);
            if items.is_empty() && !is_over {
                continue;
            }
            let handed = ArrayHanded {
                seq: ask.after + 1,
                is_over,
                ..handed(&items)
            };
            lead.handed.insert(shell, handed.clone());
            if let Some((reply, _)) = lead.asking.remove(&shell) {
                reply.send(cx, Ok(handed));
            }
        }
    }

    /// shell.array-ended
    pub(crate) fn array_ended(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        ended: ArrayEnded,
    ) -> Result<Empty, ArrayError> {
        self.may_lead(peer)?;
        let history = History::read(&ended.line);
        if history.n_damaged > 0 {
            return Err(ArrayError::Malformed);
        }
        for element in history.ended.into_values() {
            let shell = ended.shell;
            self.receive_end(cx, Ended { shell, ..element });
        }
        self.fill_slots(cx);
        Ok(Empty)
    }

    /// Checks that this shell leads, and that the peer may ask.
    pub(super) fn may_lead(&mut self, peer: &Peer) -> Result<(), ArrayError> {
        let job = self.job.clone().ok_or(ArrayError::NoArray)?;
        if !peer.may_act_for(job.userid) {
            return Err(ArrayError::NotYours);
        }
        match self.array_parts() {
            None => Err(ArrayError::NoArray),
            Some((Part::Follow(_), _)) => Err(ArrayError::NotLeading),
            Some((Part::Lead(_), _)) => Ok(()),
        }
    }
}

fn handed(items: &[Item]) -> ArrayHanded {
    let indices: IdSet = items.iter().map(|item| item.index).collect();
    let again = items.iter().filter(|item| item.tries > 0);
    ArrayHanded {
        indices: indices.to_string(),
        tries: again.map(|item| (item.index, item.tries)).collect(),
        ..ArrayHanded::default()
    }
}
