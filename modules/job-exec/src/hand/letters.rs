//! Words of shells for the leading one of their job, on their way along the tree: up to where
//! it leads down to the broker of the leading shell, and the answers back.

use std::time::Duration;

use node::{Cx, Reply};
use proto::data::JobId;
use proto::job_exec::{Letter, Receipt, ShellBatch, ShellHear, ShellTell, ShellTellError};
use proto::{Coded, Empty, Errno, Method as _, Refusal};

use crate::JobExec;
use crate::limits::{MAILS_BYTES_MAX, RETELL_MS, TELL_BYTES_MAX, TRANSIT_BYTES_MAX};
use crate::mail::{Taken, bytes_of};

/// Messages of our own rank's shell, until the leading one has them.
pub struct Telling {
    reply: Reply<ShellTell>,
    told: ShellBatch,
    /// True while the timer for sending it again runs.
    is_timed: bool,
}

impl JobExec {
    /// The shell of our own rank sends the leading one messages.
    pub(crate) fn send_letter(
        &mut self,
        cx: &mut Cx<Self>,
        request: ShellTell,
        reply: Reply<ShellTell>,
    ) {
        let id = request.id;
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return reply.send(cx, Err(self.why_unknown(id)));
        };
        if part.lease.is_empty() {
            return reply.send(cx, Err(ShellTellError::Busy));
        }
        if part.lease != request.lease {
            self.report_replaced(cx, id, ShellTell::TOPIC, &request.lease);
            return reply.send(cx, Err(ShellTellError::Replaced));
        }
        let Some(leader) = part.leader() else {
            // Nobody has said yet of which job it is.
            return reply.send(cx, Err(ShellTellError::Busy));
        };
        if part.shell_rank(cx.rank()) != request.rank {
            // It is the shell of a rank below, whose job-exec is not there just now.
            return reply.send(cx, Err(ShellTellError::Busy));
        }
        let told = ShellBatch {
            rank: request.rank,
            seq: request.seq,
            words: request.words,
        };
        if bytes_of(&told) > TELL_BYTES_MAX {
            return reply.send(cx, Err(ShellTellError::TooLong));
        }
        let telling = Telling {
            reply,
            told: told.clone(),
            is_timed: false,
        };
        if let Some(before) = part.shell.tells.replace(telling) {
            before.reply.send(cx, Err(ShellTellError::Again));
        }
        let letter = Letter {
            to: leader,
            from: cx.rank(),
            told,
        };
        self.carry(cx, id, letter);
        self.resend_later(cx, id, request.seq);
    }

    /// A job that we do not have has ended, or is yet to be known: we were started again.
    fn why_unknown(&self, id: JobId) -> ShellTellError {
        match self.jobs.get(&id).is_some_and(|job| job.has_ended()) {
            true => ShellTellError::NoReader,
            false => ShellTellError::Busy,
        }
    }

    /// A job-exec that ends loses messages on their way: so it is sent again now and then.
    fn resend_later(&mut self, cx: &mut Cx<Self>, id: JobId, seq: u64) {
        let shell = self.hand.parts.get_mut(&id).map(|part| &mut part.shell);
        let telling = shell.and_then(|shell| shell.tells.as_mut());
        let Some(telling) = telling.filter(|telling| telling.told.seq == seq) else {
            return;
        };
        if std::mem::replace(&mut telling.is_timed, true) {
            return;
        }
        let wait = Duration::from_millis(RETELL_MS);
        cx.timer(wait, move |core: &mut JobExec, cx| {
            let Some(part) = core.hand.parts.get_mut(&id) else {
                return;
            };
            let (leader, rank) = (part.leader(), cx.rank());
            let telling = part.shell.tells.as_mut();
            let telling = telling.filter(|telling| telling.told.seq == seq);
            if let (Some(to), Some(telling)) = (leader, telling) {
                telling.is_timed = false;
                let told = telling.told.clone();
                core.carry(
                    cx,
                    id,
                    Letter {
                        to,
                        from: rank,
                        told,
                    },
                );
                core.resend_later(cx, id, seq);
            }
        });
    }

    /// The leading shell, of our own rank, asks for messages.
    pub(crate) fn receive_letters(
        &mut self,
        cx: &mut Cx<Self>,
        request: ShellHear,
        reply: Reply<ShellHear>,
    ) {
        let (id, rank) = (request.id, cx.rank());
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return reply.send(cx, Err(self.why_unknown(id)));
        };
        if part.lease.is_empty() {
            return reply.send(cx, Err(ShellTellError::Busy));
        }
        if part.lease != request.lease {
            return reply.send(cx, Err(ShellTellError::Replaced));
        }
        match part.leader() {
            Some(_) if part.shell_rank(rank) != request.rank => {
                return reply.send(cx, Err(ShellTellError::Busy));
            }
            None => return reply.send(cx, Err(ShellTellError::Busy)),
            Some(leader) if leader != rank => {
                return reply.send(cx, Err(ShellTellError::NotLeading));
            }
            Some(_) => {}
        }
        if part.shell.is_over() {
            return reply.send(cx, Err(ShellTellError::NoReader));
        }
        let before = part.shell.mail.bytes();
        let taken = part.shell.mail.receive(cx, request.after, reply);
        self.hand.mail_bytes -= before - part.shell.mail.bytes();
        self.receipts(cx, id, taken, 0);
    }

    /// The leading shell, of our own rank, receives no more.
    pub(crate) fn close_mail(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        self.hand.mail_bytes -= part.shell.mail.bytes();
        let taken = part.shell.mail.close(cx, ShellTellError::NoReader);
        self.receipts(cx, id, taken, Errno::EPIPE.0);
    }

    fn receipts(&mut self, cx: &mut Cx<Self>, id: JobId, taken: Vec<Taken>, errnum: u32) {
        for Taken { to, seq } in taken {
            self.bring_back(cx, id, Receipt { to, seq, errnum });
        }
    }

    /// Brings a letter nearer to the leading shell, or back if that shell is known to be
    /// lost: its node may be online again, and know nothing of the job.
    pub(crate) fn carry(&mut self, cx: &mut Cx<Self>, id: JobId, letter: Letter) {
        if letter.to == cx.rank() {
            return self.deliver(cx, id, letter);
        }
        let part = self.hand.parts.get(&id);
        if part.is_some_and(|part| part.has_ended(letter.to)) {
            let receipt = receipt(&letter, Errno::EPIPE.0);
            return self.bring_back(cx, id, receipt);
        }
        if let Some(link) = self.hand.link_to(letter.to) {
            return self.queue(id, link, |order| order.letters.push(letter));
        }
        let bytes = bytes_of(&letter.told);
        let is_full = self.hand.transit_bytes + bytes > TRANSIT_BYTES_MAX;
        if cx.rank() == 0 || is_full {
            // There is no way, or no room: the shell tells it again.
            let receipt = receipt(&letter, Errno::EAGAIN.0);
            return self.bring_back(cx, id, receipt);
        }
        let is_same =
            |other: &Letter| other.from == letter.from && other.told.seq == letter.told.seq;
        if let Some(part) = self.hand.parts.get_mut(&id)
            && !part.fresh.letters.iter().any(is_same)
        {
            self.hand.transit_bytes += bytes;
            part.fresh.letters.push(letter);
            self.hand.up.dirty.insert(id);
        }
    }

    fn deliver(&mut self, cx: &mut Cx<Self>, id: JobId, letter: Letter) {
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        if part.shell.is_over() {
            let receipt = receipt(&letter, Errno::EPIPE.0);
            return self.bring_back(cx, id, receipt);
        }
        let bytes = bytes_of(&letter.told);
        let has_room = self.hand.mail_bytes + bytes <= MAILS_BYTES_MAX;
        let before = part.shell.mail.bytes();
        let back = receipt(&letter, Errno::EAGAIN.0);
        let is_in = has_room && part.shell.mail.put(cx, letter.from, letter.told).is_ok();
        self.hand.mail_bytes += part.shell.mail.bytes() - before;
        if !is_in {
            self.bring_back(cx, id, back);
        }
    }

    /// Brings an answer nearer to the shell that waits for it.
    pub(crate) fn bring_back(&mut self, cx: &mut Cx<Self>, id: JobId, receipt: Receipt) {
        if receipt.to != cx.rank() {
            if let Some(link) = self.hand.link_to(receipt.to) {
                self.queue(id, link, |order| order.receipts.push(receipt));
            } else if cx.rank() != 0
                && let Some(part) = self.hand.parts.get_mut(&id)
            {
                part.fresh.receipts.push(receipt);
                self.hand.up.dirty.insert(id);
            }
            return;
        }
        let shell = self.hand.parts.get_mut(&id).map(|part| &mut part.shell);
        let telling = shell.and_then(|shell| {
            let is_it = |telling: &mut Telling| telling.told.seq == receipt.seq;
            shell.tells.take_if(is_it)
        });
        if let Some(telling) = telling {
            let result = match Errno(receipt.errnum) {
                Errno(0) => Ok(Empty),
                Errno::EAGAIN => Err(ShellTellError::Busy.refusal()),
                Errno::EPIPE => Err(ShellTellError::NoReader.refusal()),
                other => Err(Refusal::bare(other)),
            };
            telling.reply.send_refusal(cx, result);
        }
    }
}

impl Telling {
    /// Nobody is notified any more.
    pub fn end(self, cx: &mut Cx<JobExec>, why: ShellTellError) {
        self.reply.send(cx, Err(why));
    }
}

fn receipt(letter: &Letter, errnum: u32) -> Receipt {
    Receipt {
        to: letter.from,
        seq: letter.told.seq,
        errnum,
    }
}
