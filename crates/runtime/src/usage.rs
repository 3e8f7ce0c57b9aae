//! getrusage(2), for the `rusage` method of every component.

use nix::sys::resource::{UsageWho, getrusage};
use proto::common::RusageReply;

/// The resource use of `self`, `children` or `thread`.
pub fn rusage(who: &str) -> RusageReply {
    let who = match who {
        "children" => UsageWho::RUSAGE_CHILDREN,
        "thread" => UsageWho::RUSAGE_THREAD,
        _ => UsageWho::RUSAGE_SELF,
    };
    let Ok(usage) = getrusage(who) else {
        return RusageReply::default();
    };
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    RusageReply {
        utime: seconds(usage.user_time()),
        stime: seconds(usage.system_time()),
        maxrss: usage.max_rss(),
        ixrss: usage.shared_integral(),
        idrss: usage.unshared_data_integral(),
        isrss: usage.unshared_stack_integral(),
        minflt: usage.minor_page_faults(),
        majflt: usage.major_page_faults(),
        nswap: usage.full_swaps(),
        inblock: usage.block_reads(),
        oublock: usage.block_writes(),
        msgsnd: usage.ipc_sends(),
        msgrcv: usage.ipc_receives(),
        nsignals: usage.signals(),
        nvcsw: usage.voluntary_context_switches(),
        nivcsw: usage.involuntary_context_switches(),
    }
}
