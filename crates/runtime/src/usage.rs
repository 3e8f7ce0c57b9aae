//! getrusage(2) and the memory in use, for the `rusage` method of every component.

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
        rss: (who == UsageWho::RUSAGE_SELF).then(rss).flatten(),
    }
}

/// The memory in use, in KiB, as Linux tells it.
fn rss() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_in_use_is_that_of_the_process() {
        assert!(rusage("self").rss.is_some_and(|kib| kib > 100));
        assert_eq!(rusage("children").rss, None);
    }
}
