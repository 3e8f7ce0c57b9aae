//! The start on other ranks than 0: ids begin where those of rank 0 are (protocol/21
//! section 7).
//!
//! All ranks start at the same time, and rank 0 waits for the others before it runs its
//! program. So while our broker starts, its rank 0 may not have a job-ingest yet: the module
//! counts as running, and requests wait until rank 0 runs.

use node::{Call, Cx};
use proto::Errno;
use proto::job_ingest::GetInfo;
use proto::state_machine::{Get, Wait};

use crate::JobIngest;
use crate::core::{now_ms, unless_loaded};
use crate::saved;

const RANK_0: &str = "job-ingest must be loaded on rank 0 first";

/// Asks rank 0 for the next ids, after the data stored by a predecessor of this process was
/// read. The time of the answer counts from the question on, and a started millisecond as a
/// whole one: an id that is made here after one of rank 0 is not of an earlier time.
pub(crate) fn begin(cx: &mut Cx<JobIngest>) {
    let asked_ms = now_ms(cx);
    cx.call_with(
        Call::new(&GetInfo).to(0),
        move |core: &mut JobIngest, cx, result| match result {
            Err(refusal) if refusal.errno == Errno::ENOSYS => {
                cx.call(&Get, |_, cx, result| match result {
                    Ok(current) if current.state == "init" => wait(cx),
                    _ => cx.started(Err(unless_loaded(refusal, RANK_0))),
                });
            }
            Err(refusal) => cx.started(Err(refusal)),
            Ok(info) => core.read_saved(cx, info.timestamp, asked_ms),
        },
    );
}

fn wait(cx: &mut Cx<JobIngest>) {
    cx.run_on_hold();
    // That rank 0 runs no more is no reason to ask it nothing.
    cx.call_with(Call::new(&Wait).to(0), |_, cx, _| {
        let asked_ms = now_ms(cx);
        cx.call_with(
            Call::new(&GetInfo).to(0),
            move |core: &mut JobIngest, cx, result| match result {
                Ok(info) => core.read_saved(cx, info.timestamp, asked_ms),
                Err(refusal) => cx.started(Err(unless_loaded(refusal, RANK_0))),
            },
        );
    });
}

impl JobIngest {
    fn read_saved(&mut self, cx: &mut Cx<Self>, timestamp: u64, asked_ms: u64) {
        saved::read(cx, move |core, cx| {
            core.begin_ids(cx, Ok(timestamp + 1), asked_ms);
        });
    }
}
