//! Usage of the job: tasks killed by the kernel for want of memory, and with option
//! `sysmon` memory and processor time (protocol/23 sections 12 and 13).

use std::time::Duration;

use node::Cx;
use proto::Event;
use proto::heartbeat::Pulse;

use crate::JobShell;
use crate::cgroup::Usage;
use crate::log::Level;
use crate::state::State;
use crate::worker::Files;

/// The part of the shell that watches for kills.
const OOM: &str = "oom";
/// The part of the shell that reports memory and time.
const SYSMON: &str = "sysmon";

/// Usage counted so far.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Kills that are no news; `None` if they are not counted.
    kills: Option<u64>,
    /// Processor time at the beginning, and when that was.
    cpu: Option<(u64, Duration)>,
    /// The same at the last look.
    last_cpu: Option<(u64, Duration)>,
    /// The last look is under way, after the last task.
    is_closing: bool,
    is_closed: bool,
}

impl Meter {
    /// True if the end of the job waits for us.
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }
}

impl JobShell {
    /// Begins to count, before tasks start: `usage` is how things stand, if the kernel counts.
    pub(crate) fn begin_meter(&mut self, cx: &mut Cx<Self>, usage: Option<Usage>) {
        let now = cx.now().mono;
        let wants_all = self.job.as_ref().and_then(|job| job.options.sysmon);
        self.meter.kills = usage.and_then(|usage| usage.oom_kills);
        if self.meter.kills.is_none() {
            let text = "disabling oom detection: no memory.events";
            self.debug(cx, OOM, text);
        }
        let Some(wanted) = wants_all else {
            return;
        };
        let Some(usage) = usage else {
            let text = "incompatible cgroup configuration (disabled)";
            return self.warn(cx, SYSMON, text);
        };
        if usage.peak.is_none() || usage.current.is_none() {
            self.warn(cx, SYSMON, "no memory.peak/memory.current (disabled)");
        }
        self.meter.cpu = usage.cpu_us.map(|cpu| (cpu, now));
        self.meter.last_cpu = self.meter.cpu;
        if self.meter.cpu.is_none() {
            self.warn(cx, SYSMON, "no cpu.stat (disabled)");
        }
        // Only those see it who want to see everything.
        let is_traced = self.job.as_ref().is_some_and(|job| job.options.verbose > 1);
        match wanted.period {
            _ if !is_traced => {}
            Some(period) => self.measure_again(cx, period),
            None => cx.subscribe(Pulse::TOPIC),
        }
    }

    /// The pulse of the instance.
    pub(crate) fn pulse(&mut self, cx: &mut Cx<Self>) {
        self.measure(cx);
    }

    fn measure_again(&mut self, cx: &mut Cx<Self>, period: Duration) {
        cx.timer(period, move |core: &mut JobShell, cx| {
            if core.state() == State::Running {
                core.measure(cx);
                core.measure_again(cx, period);
            }
        });
    }

    fn measure(&mut self, cx: &mut Cx<Self>) {
        if self.state() != State::Running || self.meter.is_closing {
            return;
        }
        cx.work(Files::usage, |core: &mut JobShell, cx, usage| {
            let Some(usage) = usage else {
                return;
            };
            if let Some(current) = usage.current {
                let text = format!("memory.current={}", size(current));
                core.log(cx, Level::Trace, Some(SYSMON), &text);
            }
            let since = core.meter.last_cpu;
            if let Some(load) = core.load_since(cx, since, usage) {
                let text = format!("loadavg={load:.2}");
                core.log(cx, Level::Trace, Some(SYSMON), &text);
            }
        });
    }

    /// Average number of busy processors since `begin`.
    fn load_since(
        &mut self,
        cx: &Cx<Self>,
        begin: Option<(u64, Duration)>,
        usage: Usage,
    ) -> Option<f64> {
        let now = cx.now().mono;
        let ((before, then), after) = begin.zip(usage.cpu_us)?;
        self.meter.last_cpu = Some((after, now));
        let busy = after.saturating_sub(before) as f64 / 1e6;
        let passed = now.saturating_sub(then).as_secs_f64();
        (passed > 0.0).then(|| busy / passed)
    }

    /// A task was killed: perhaps for want of memory.
    pub(crate) fn look_for_kills(&mut self, cx: &mut Cx<Self>) {
        if self.meter.kills.is_some() && !self.meter.is_closing {
            cx.work(Files::usage, |core: &mut JobShell, cx, usage| {
                if let Some(usage) = usage {
                    core.report_kills(cx, usage);
                }
            });
        }
    }

    fn report_kills(&mut self, cx: &mut Cx<Self>, usage: Usage) {
        let (Some(before), Some(after)) = (self.meter.kills, usage.oom_kills) else {
            return;
        };
        let count = after.saturating_sub(before);
        if count == 0 {
            return;
        }
        self.meter.kills = Some(after);
        let host = self.job.as_ref().map(|job| job.node().host.clone());
        let text = kills(count, &host.unwrap_or_default());
        self.log(cx, Level::Error, Some(OOM), &text);
        if let Some(peak) = usage.peak {
            let text = format!("memory.peak = {}", size(peak));
            self.log(cx, Level::Error, Some(OOM), &text);
        }
    }

    /// Looks for the last time, after the last task: `true` if the end is to wait for that.
    pub(crate) fn close_meter(&mut self, cx: &mut Cx<Self>) -> bool {
        let meter = &mut self.meter;
        let is_used = meter.kills.is_some() || meter.cpu.is_some();
        if meter.is_closed || meter.is_closing || !is_used {
            return meter.is_closing;
        }
        let is_sysmon = self
            .job
            .as_ref()
            .is_some_and(|job| job.options.sysmon.is_some());
        meter.is_closing = true;
        cx.quick_work(Files::usage, move |core: &mut JobShell, cx, usage| {
            core.meter.is_closing = false;
            core.meter.is_closed = true;
            if let Some(usage) = usage {
                core.report_kills(cx, usage);
                if is_sysmon {
                    core.sum_up_usage(cx, usage);
                }
            }
            core.end_if_idle(cx);
        });
        self.meter.is_closing
    }

    fn sum_up_usage(&mut self, cx: &mut Cx<Self>, usage: Usage) {
        if let Some(peak) = usage.peak {
            self.notice(cx, SYSMON, &format!("memory.peak={}", size(peak)));
        }
        let since = self.meter.cpu;
        if let Some(load) = self.load_since(cx, since, usage) {
            self.notice(cx, SYSMON, &format!("loadavg-overall={load:.2}"));
        }
    }
}

/// The sentence on tasks that the kernel has killed.
fn kills(count: u64, host: &str) -> String {
    let word = if count == 1 { "task" } else { "tasks" };
    format!("Memory cgroup out of memory: killed {count} {word} on {host}.")
}

/// Bytes with the letter of a power of 1024.
fn size(bytes: u64) -> String {
    let units = [("G", 1_u64 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((letter, unit)) if bytes.is_multiple_of(unit) => format!("{}{letter}", bytes / unit),
        Some((letter, unit)) => format!("{:.1}{letter}", bytes as f64 / unit as f64),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_letters() {
        for (bytes, expect) in [
            (0, "0"),
            (1023, "1023"),
            (4096, "4K"),
            (1_572_864, "1.5M"),
            (1 << 30, "1G"),
        ] {
            assert_eq!(size(bytes), expect);
        }
    }

    #[test]
    fn kills_are_counted() {
        let begin = "Memory cgroup out of memory: killed";
        assert_eq!(kills(1, "a"), format!("{begin} 1 task on a."));
        assert_eq!(kills(2, "a"), format!("{begin} 2 tasks on a."));
    }
}
