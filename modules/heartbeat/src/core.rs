//! The pulse and the watch for it. Rank 0 has one timer, for the next pulse; other
//! ranks have two, both counted from the last pulse.

use node::{Cx, TimerId};
use proto::Method as _;
use proto::heartbeat::{Pulse, Stats};
use proto::overlay::DisconnectParent;
use wire::Flags;

use crate::config::Settings;

/// State of the module.
#[derive(Debug)]
pub struct Heartbeat {
    settings: Settings,
    count: u64,
    timers: Vec<TimerId>,
    /// A warning is out that the next pulse is to take back.
    overdue: bool,
}

impl Heartbeat {
    /// Starts to pulse, or to watch.
    pub(crate) fn new(cx: &mut Cx<Self>, settings: Settings) -> Heartbeat {
        let mut core = Heartbeat {
            settings,
            count: 0,
            timers: Vec::new(),
            overdue: false,
        };
        core.arm(cx);
        core
    }

    /// Goes on with other settings, counted from now.
    pub(crate) fn adopt(&mut self, cx: &mut Cx<Self>, settings: Settings) {
        self.settings = settings;
        self.arm(cx);
    }

    /// A pulse arrived. On rank 0 it is our own and was counted when it was sent.
    pub(crate) fn pulse_received(&mut self, cx: &mut Cx<Self>) {
        if cx.rank() == 0 {
            return;
        }
        self.count += 1;
        if std::mem::take(&mut self.overdue) {
            tracing::warn!("heartbeat received");
        }
        self.arm(cx);
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            period: self.settings.period.as_secs_f64(),
            timeout: self.settings.timeout.map_or(0.0, |t| t.as_secs_f64()),
            count: self.count,
            warn_thresh: self.settings.warn_thresh,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// Sets the timers again.
    fn arm(&mut self, cx: &mut Cx<Self>) {
        for timer in self.timers.drain(..) {
            cx.cancel_timer(timer);
        }
        let period = self.settings.period;
        if cx.rank() == 0 {
            self.timers.push(cx.timer(period, Self::pulse));
            return;
        }
        let periods = u32::try_from(self.settings.warn_thresh).unwrap_or(u32::MAX);
        let late = period.saturating_mul(periods);
        self.timers.push(cx.timer(late, Self::warn));
        if let Some(timeout) = self.settings.timeout {
            self.timers.push(cx.timer(timeout, Self::leave));
        }
    }

    fn pulse(&mut self, cx: &mut Cx<Self>) {
        cx.publish(&Pulse);
        self.count += 1;
        self.arm(cx);
    }

    fn warn(&mut self, _: &mut Cx<Self>) {
        self.overdue = true;
        tracing::warn!("heartbeat overdue");
    }

    fn leave(&mut self, cx: &mut Cx<Self>) {
        let timeout = self.settings.timeout.unwrap_or_default().as_secs_f64();
        let timeout = proto::data::Fsd::from_secs(timeout).unwrap_or_default();
        let leave = DisconnectParent {
            reason: format!("no heartbeat for {timeout}"),
        };
        let mut request = leave.to_message(0);
        request.set_flag(Flags::NORESPONSE, true);
        cx.send(request);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use node::probe::Probe;

    use super::*;

    fn start(rank: &str, conf: &str) -> Probe<Heartbeat> {
        Probe::start_with((), &[], conf, &[("rank", rank)]).unwrap()
    }

    fn pass(probe: &mut Probe<Heartbeat>, seconds: f64) -> Vec<String> {
        probe.pass(Duration::from_secs_f64(seconds));
        probe.said()
    }

    #[test]
    fn rank_0_pulses_once_per_period() {
        let mut probe = start("0", "{}");
        assert_eq!(pass(&mut probe, 1.9), [""; 0]);
        assert_eq!(pass(&mut probe, 0.1), ["event heartbeat.pulse"]);
        assert_eq!(pass(&mut probe, 2.0), ["event heartbeat.pulse"]);
        probe.request("heartbeat.stats-get", "");
        let stats = r#"{"period":2.0,"timeout":300.0,"count":2,"warn_thresh":3}"#;
        assert_eq!(
            probe.said(),
            [format!("response heartbeat.stats-get #1 {stats}")]
        );
    }

    #[test]
    fn a_new_configuration_changes_the_period_and_a_bad_one_does_not() {
        let mut probe = start("0", "{}");
        let bad = r#"{"heartbeat":{"period":0}}"#;
        probe.request("heartbeat.config-reload", bad);
        let refusal = r#"EINVAL "heartbeat.period must be a positive FSD value""#;
        assert_eq!(
            probe.said(),
            [format!("response heartbeat.config-reload #1 {refusal}")]
        );
        assert_eq!(pass(&mut probe, 2.0), ["event heartbeat.pulse"]);
        let good = r#"{"heartbeat":{"period":"1m"}}"#;
        probe.request("heartbeat.config-reload", good);
        assert_eq!(probe.said(), ["response heartbeat.config-reload #2"]);
        assert_eq!(pass(&mut probe, 59.0), [""; 0]);
        assert_eq!(pass(&mut probe, 1.0), ["event heartbeat.pulse"]);
    }

    #[test]
    fn other_ranks_leave_a_parent_that_is_silent() {
        let mut probe = start("3", r#"{"heartbeat":{"timeout":"30s"}}"#);
        assert_eq!(pass(&mut probe, 20.0), [""; 0]);
        assert!(probe.actor.core.overdue);
        probe.event("heartbeat.pulse", "");
        assert!(!probe.actor.core.overdue);
        assert_eq!(pass(&mut probe, 29.9), [""; 0]);
        let leave = r#"notify overlay.disconnect-parent {"reason":"no heartbeat for 30s"}"#;
        assert_eq!(pass(&mut probe, 0.1), [leave]);
        assert_eq!(probe.actor.core.stats().count, 1);
    }
}
