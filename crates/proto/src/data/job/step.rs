//! The steps of a job's way that its log does not tell: services note them for a while, for
//! `flux job trace`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;

/// Declares the steps: name, service, and what has happened, in the order of a job's life.
macro_rules! steps {
    ($($step:ident = $name:literal of $service:literal : $meaning:literal;)*) => {
        /// A step of a job's way through a service.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum JobStep {
            $(#[doc = $meaning] #[serde(rename = $name)] $step,)*
        }

        impl JobStep {
            /// Every step, in the order of a job's life.
            pub const ALL: &[JobStep] = &[$(Self::$step),*];

            /// As it is written.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$step => $name,)* }
            }

            /// The service that notes it.
            pub const fn service(self) -> &'static str {
                match self { $(Self::$step => $service,)* }
            }

            /// The state of things then.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$step => $meaning,)* }
            }
        }
    };
}

steps! {
    Numbered = "numbered" of "job-ingest": "The job has passed all checks and has its id.";
    StoreAsked = "store-asked" of "job-ingest": "The KVS is asked to store the jobspec, with those of other jobs.";
    Stored = "stored" of "job-ingest": "The jobspec is stored; job-manager is told of the job.";
    Answered = "answered" of "job-ingest": "job-manager has the job; the submitter is told its id.";
    Taken = "taken" of "job-manager": "job-manager has the job.";
    AllocAsked = "alloc-asked" of "job-manager": "The scheduler is asked for resources.";
    Queued = "queued" of "sched": "The request is in the queue of the scheduler.";
    Allocated = "allocated" of "sched": "The scheduler has found resources, and says so.";
    StartAsked = "start-asked" of "job-manager": "job-exec is asked to start the job.";
    StartTaken = "start-taken" of "job-exec": "job-exec has the job.";
    ShellSpawned = "shell-spawned" of "job-exec": "The job shell of this rank is to be started.";
    ShellRuns = "shell-runs" of "job-exec": "The process of the shell is there.";
    ShellHello = "shell-hello" of "job-exec": "The shell has connected and asks for its job.";
    ShellTold = "shell-told" of "job-exec": "The shell is told its job.";
    BarrierCome = "barrier-come" of "job-exec": "The shell waits for those of other ranks.";
    BarrierOpen = "barrier-open" of "job-exec": "The shells of all ranks have come.";
    Namespace = "namespace" of "job-exec": "The job, which goes on, has a namespace of its own.";
    ShellExit = "shell-exit" of "job-exec": "The shell of this rank has sent its last message, or was lost.";
    EndTold = "end-told" of "job-exec": "The end of the job is reported to job-manager.";
    LogStored = "log-stored" of "job-manager": "The log of the job as of then is in the KVS.";
    HousekeepingBegun = "housekeeping-begun" of "job-manager": "A command is run on the nodes before others have them.";
    HousekeepingDone = "housekeeping-done" of "job-manager": "The command has ended on these nodes.";
    FreeTold = "free-told" of "job-manager": "The scheduler is given the resources back.";
    Freed = "freed" of "sched": "The scheduler has the resources back.";
}

impl fmt::Display for JobStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_written_by_its_name() {
        for step in JobStep::ALL {
            let json = serde_json::to_value(step).unwrap();
            assert_eq!(json, step.name());
            assert_eq!(serde_json::from_value::<JobStep>(json).unwrap(), *step);
        }
    }
}
