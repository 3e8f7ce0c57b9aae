//! A module that is removed in order to be loaded again: later requests wait, as for one
//! that is restarted after its death, and its unanswered requests go to its successor if
//! they may be repeated.

use node::Cx;
use proto::Empty;
use proto::module::Load;

use super::{Stage, Waiter};
use crate::core::{Broker, seconds};
use crate::limits::HOLD_S;
use crate::router::ModuleId;

impl Broker {
    /// A module has left and will be loaded again, or is given up after a while.
    pub(super) fn await_module(&mut self, cx: &mut Cx<Broker>, id: ModuleId) {
        let until = cx.now().mono + seconds(HOLD_S);
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        let away = Stage::Away { until };
        module.stage = away;
        module.parked = false;
        let removing = std::mem::take(&mut module.removing);
        self.sort_out_tracked(cx, id);
        for reply in removing {
            reply.send(cx, Ok(Empty));
        }
        cx.timer(seconds(HOLD_S), move |core: &mut Broker, cx| {
            if core
                .modules
                .get(id)
                .is_some_and(|module| module.stage == away)
            {
                core.unload(cx, id, Ok(()));
            }
        });
    }

    /// Loads a module that was removed in order to be loaded again: waiting requests go
    /// to it.
    pub(super) fn load_again(
        &mut self,
        cx: &mut Cx<Broker>,
        id: ModuleId,
        request: Load,
        path: String,
        waiter: Waiter,
    ) {
        if let Some(module) = self.modules.get_mut(id) {
            (module.path, module.args, module.loader) = (path, request.args, request.loader);
            module.stage = Stage::Loading;
            module.loading.push(waiter);
            module.deferred = false;
            module.restarted_at.clear();
            tracing::debug!("insmod {}", module.name);
        }
        self.start_process(cx, id);
    }

    /// A module that has left does not come back.
    pub(super) fn give_up_away(&mut self, cx: &mut Cx<Broker>, name: &str) {
        if let Some(id) = self.modules.away(name) {
            self.unload(cx, id, Ok(()));
        }
    }
}

#[cfg(test)]
#[path = "reload_tests.rs"]
mod tests;
