//! Due times of entries, by timers or by events; and the wait of a due task for the sync
//! event.

use std::time::Duration;

use node::Cx;
use wire::topic;

use crate::Cron;
use crate::limits::CLOCK_LOOK_S;
use crate::rule::{Rule, Then};
use crate::tasks::Running;

impl Cron {
    /// Sets the timer of an entry, or asks for its events. `false` if there is no next time.
    pub(crate) fn arm(&mut self, cx: &mut Cx<Self>, id: u64, is_first: bool) -> bool {
        let zone = self.zone().cloned();
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let now = cx.now();
        let wait = match &entry.rule {
            Rule::Event(event) => {
                if is_first {
                    cx.subscribe(event.prefix());
                }
                return true;
            }
            Rule::Interval(rule) => {
                let wait = if is_first { rule.after } else { rule.interval };
                entry.next_wakeup = now.wall + wait.as_secs_f64();
                wait
            }
            Rule::DateTime(times) => {
                let next = zone.and_then(|zone| times.next(&zone, now.wall));
                let Some(next) = next else { return false };
                entry.next_wakeup = next;
                clock_wait(next - now.wall)
            }
        };
        entry.timer = Some(cx.timer(wait, move |core: &mut Cron, cx| core.wake(cx, id)));
        true
    }

    /// Stops an entry: nothing makes it due any more.
    pub(crate) fn disarm(&mut self, cx: &mut Cx<Self>, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if let Some(timer) = entry.timer.take() {
            cx.cancel_timer(timer);
        }
        if let Rule::Event(event) = &entry.rule
            && !entry.stopped
        {
            cx.unsubscribe(event.prefix());
        }
        entry.next_wakeup = 0.0;
        entry.stopped = true;
    }

    /// The timer of an entry has run.
    fn wake(&mut self, cx: &mut Cx<Self>, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.timer = None;
        let now = cx.now();
        match &mut entry.rule {
            Rule::DateTime(_) if now.wall < entry.next_wakeup => {
                let wait = clock_wait(entry.next_wakeup - now.wall);
                entry.timer = Some(cx.timer(wait, move |core: &mut Cron, cx| core.wake(cx, id)));
                return;
            }
            Rule::Event(event) => event.note_due(now.mono),
            Rule::DateTime(_) | Rule::Interval(_) => {}
        }
        if !self.arm(cx, id, false) {
            // That was its last time.
            self.disarm(cx, id);
        }
        self.due(cx, id);
    }

    /// An event came.
    pub(crate) fn happened(&mut self, cx: &mut Cx<Self>, name: &str) {
        let now = cx.now().mono;
        if self.sync.topic.as_deref() == Some(name) {
            self.sync.last = Some(now);
            self.run_deferred(cx);
        }
        let mut due = Vec::new();
        for (id, entry) in &mut self.entries {
            let Rule::Event(event) = &mut entry.rule else {
                continue;
            };
            if entry.stopped || !topic::glob_matches(&event.topic, name) {
                continue;
            }
            match event.count(now) {
                Then::Nothing => {}
                Then::Due => due.push(*id),
                Then::Later(wait) => {
                    let id = *id;
                    entry.timer.get_or_insert_with(|| {
                        cx.timer(wait, move |core: &mut Cron, cx| core.wake(cx, id))
                    });
                }
            }
        }
        for id in due {
            self.due(cx, id);
        }
    }

    /// An entry is due: its task is run, or waits for the event.
    fn due(&mut self, cx: &mut Cx<Self>, id: u64) {
        let must_wait = self.must_wait(cx.now().mono);
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if entry.task.is_some() {
            tracing::info!("cron-{id}: {}: task still running or scheduled", entry.name);
            return;
        }
        entry.stats.count += 1;
        entry.stats.total += 1;
        let is_last = entry.repeat > 0 && entry.stats.count >= entry.repeat;
        entry.task = Some(Running::new(entry.rank, cx.now().wall));
        if must_wait {
            entry.stats.deferred += 1;
            let topic = self.sync.topic.as_deref().unwrap_or_default();
            tracing::debug!("deferring cron-{id} to next {topic} event");
            self.deferred.push_back(id);
        }
        if is_last {
            self.disarm(cx, id);
        }
        if !must_wait {
            self.run_task(cx, id);
        }
    }

    /// True if a task that is due now waits: there is a sync event, and it was not just
    /// now.
    fn must_wait(&self, now: Duration) -> bool {
        let is_near = |last: Duration| now.saturating_sub(last) < self.sync.epsilon;
        self.sync.topic.is_some() && !self.sync.last.is_some_and(is_near)
    }

    /// Runs all tasks that wait.
    pub(crate) fn run_deferred(&mut self, cx: &mut Cx<Self>) {
        for id in std::mem::take(&mut self.deferred) {
            self.run_task(cx, id);
        }
    }

    /// A run of an entry has failed; it may be one too many.
    pub(crate) fn count_failure(&mut self, cx: &mut Cx<Self>, id: u64) {
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        entry.stats.failure += 1;
        entry.stats.failcount += 1;
        let limit = entry.stop_on_failure;
        if limit > 0 && entry.stats.failcount >= limit && !entry.stopped {
            tracing::error!("cron-{id}: exceeded failure limit of {limit}. stopping");
            self.disarm(cx, id);
        }
    }
}

/// Length of a timer for a time of the calendar that is this far off.
fn clock_wait(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.min(CLOCK_LOOK_S)).unwrap_or_default()
}
