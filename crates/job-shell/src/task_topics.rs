//! Topics of tasks: handlers of scripts see each task, and change its environment before it begins
//! (protocol/23 sections 5 and 6).

use node::{Cx, Spawn};
use serde_json::{Value, json};

use crate::JobShell;
use crate::barrier::{Gate, Keys};
use crate::log::Level;
use crate::scripts::Outcome;

impl JobShell {
    /// Shows handlers a task that is about to be started. True if it is to be started.
    pub(crate) fn init_task(&mut self, cx: &mut Cx<Self>, index: usize, spawn: &mut Spawn) -> bool {
        if !self.handles("task.init") && !self.handles("task.exec") {
            return true;
        }
        let rank = self.placement.ranks[index];
        let mut task = initrc::Task {
            info: json!({ "localid": index, "rank": rank, "state": "Init" }),
            env: spawn.env.take().into_iter().flatten().collect(),
        };
        let init = self.call(cx, "task.init", &Value::Null, Some(&mut task)).1;
        if init == Outcome::Failed {
            let text = format!("failed to initialize taskid={rank}");
            self.fatal(cx, 1, &text);
        }
        if init != Outcome::Passed {
            return false;
        }
        task.info["state"] = "Exec".into();
        // It is called in the shell, where what fails is nothing to the task.
        let exec = self.call_quietly(cx, "task.exec", &mut task);
        spawn.env = Some(task.env.into_iter().collect());
        exec != Outcome::Died
    }

    /// Handlers see a task that runs or has ended. True if the shell goes on.
    pub(crate) fn task_topic(
        &mut self,
        cx: &mut Cx<Self>,
        index: usize,
        topic: &str,
        fatal: &str,
    ) -> bool {
        match self.task_call(cx, index, topic) {
            Outcome::Passed => true,
            Outcome::Died => false,
            Outcome::Failed => {
                self.fatal(cx, 1, fatal);
                false
            }
        }
    }

    /// Handlers see how a task has ended.
    pub(crate) fn send_exit(&mut self, cx: &mut Cx<Self>, index: usize) {
        if self.task_call(cx, index, "task.exit") == Outcome::Failed {
            self.log(cx, Level::Error, None, "task.exit plugin(s) failed");
        }
    }

    fn task_call(&mut self, cx: &mut Cx<Self>, index: usize, topic: &str) -> Outcome {
        if self.array.is_some() || !self.handles(topic) {
            return Outcome::Passed;
        }
        let task = &self.tasks[index];
        let mut info = json!({ "localid": index, "rank": task.rank, "pid": task.pid });
        match task.status {
            None => info["state"] = "Running".into(),
            Some(status) => {
                info["state"] = "Exited".into();
                info["wait_status"] = status.0.into();
                info["exitcode"] = status.shell_code().into();
                info["signaled"] = status.signal().unwrap_or(0).into();
            }
        }
        let mut task = initrc::Task {
            info,
            env: self.task_env.clone(),
        };
        self.call(cx, topic, &Value::Null, Some(&mut task)).1
    }

    /// Goes on when all tasks here were forked, or could not be.
    pub(crate) fn begin_if_forked(&mut self, cx: &mut Cx<Self>) {
        let is_forked = |task: &crate::tasks::Task| task.pid != 0 || !task.is_alive();
        let waits = self.handles("task.fork") || self.handles("shell.start");
        if !self.waits_for_forks || (waits && !self.tasks.iter().all(is_forked)) {
            return;
        }
        self.waits_for_forks = false;
        if self.topic(cx, "shell.start", "shell.start callback(s) failed") {
            self.start_coprocesses(cx);
            self.enter(cx, Gate::Start, Keys::new());
        }
    }

    /// Handlers are notified that the shell is about to leave.
    pub(crate) fn send_end(&mut self, cx: &mut Cx<Self>) {
        if self.call(cx, "shell.exit", &Value::Null, None).1 == Outcome::Failed {
            self.log(cx, Level::Error, None, "shell_exit callback(s) failed");
            self.count_code(1);
        }
    }
}
