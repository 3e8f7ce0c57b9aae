//! Notifications of systemd about the broker's state (`broker.sd-notify`, sd_notify(3)).

use std::time::Duration;

use node::Cx;
use proto::attr::names::{BROKER_SD_NOTIFY, BROKER_SD_STOP_TIMEOUT};

use crate::core::Broker;
use crate::lifecycle::State;

impl Broker {
    /// The broker is in another state.
    pub(crate) fn notify_systemd(&mut self, cx: &mut Cx<Broker>) {
        let extend = self.attrs.duration(&BROKER_SD_STOP_TIMEOUT);
        self.send_to_systemd(cx, notice(self.life.state(), extend));
    }

    /// Sends lines of sd_notify(3), if systemd wants them.
    pub(crate) fn send_to_systemd(&mut self, cx: &mut Cx<Broker>, text: String) {
        if !self.attrs.is_on(&BROKER_SD_NOTIFY) {
            return;
        }
        cx.work(
            move |files| files.notify(&text),
            |_: &mut Broker, _, sent| {
                if let Err(error) = sent {
                    tracing::warn!("broker.sd-notify: {error}");
                }
            },
        );
    }
}

/// The lines for a state. On the way to the end each state extends the time that systemd
/// waits, because each is progress.
fn notice(state: State, extend: Option<Duration>) -> String {
    let mut text = match state {
        State::Quorum => "STATUS=Waiting for instance quorum".to_owned(),
        state => format!("STATUS=In state {}", state.name()),
    };
    // Others may be waited for after this: the unit counts as started all the same.
    if state == State::Join {
        text += "\nREADY=1";
    }
    if state == State::Cleanup {
        text += "\nSTOPPING=1";
    }
    if let Some(extend) = extend.filter(|_| state >= State::Cleanup) {
        text += &format!("\nEXTEND_TIMEOUT_USEC={}", extend.as_micros());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_of_the_start_and_of_progress_toward_the_end() {
        let extend = Some(Duration::from_secs(90));
        for (state, extend, want) in [
            (State::Join, extend, "STATUS=In state join\nREADY=1"),
            (State::Quorum, extend, "STATUS=Waiting for instance quorum"),
            (State::Run, extend, "STATUS=In state run"),
            (State::Cleanup, None, "STATUS=In state cleanup\nSTOPPING=1"),
            (
                State::Finalize,
                extend,
                "STATUS=In state finalize\nEXTEND_TIMEOUT_USEC=90000000",
            ),
        ] {
            assert_eq!(notice(state, extend), want);
        }
    }
}
