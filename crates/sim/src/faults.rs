//! Faults: modules killed, removed and reloaded, links cut, everything lost at once.

use node::Input;

use crate::play::{Cast, Play};
use crate::world::{Choice, SIGKILL, World};

/// Longest that a module is slow.
const SLOW_STEPS_MAX: usize = 300;

/// Faults of a store.
const OF_STORE: &[fn(&mut World)] = &[
    World::kill_a_module,
    World::kill_a_module,
    World::kill_a_module,
    World::kill_modules,
    World::reload_a_module,
    World::cut_a_program,
    World::crash,
];
/// Faults of an instance with jobs.
const OF_JOBS: &[fn(&mut World)] = &[
    World::kill_a_module,
    World::kill_a_module,
    World::kill_a_module,
    World::kill_modules,
    World::slow_a_module,
    World::cut_a_program,
    World::kill_a_shell,
    World::crash,
];
/// The same on many nodes.
const OF_TREE: &[fn(&mut World)] = &[
    World::kill_a_module,
    World::kill_a_module,
    World::kill_a_module,
    World::kill_modules,
    World::slow_a_module,
    World::cut_a_program,
    World::kill_a_shell,
    World::kill_a_follower,
    World::kill_a_follower,
    World::crash,
];

/// The same where the removed thing comes back.
const OF_POLICY: &[fn(&mut World)] = &[
    World::kill_a_module,
    World::kill_a_module,
    World::kill_a_module,
    World::kill_modules,
    World::reload_a_service,
    World::slow_a_module,
    World::cut_a_program,
    World::kill_a_shell,
    World::crash,
];

impl World {
    /// One thing that can happen in this play.
    pub(crate) fn break_something(&mut self) {
        let faults: &[fn(&mut World)] = match self.play {
            Play::JobsTree => OF_TREE,
            Play::Jobs => OF_JOBS,
            Play::JobsPolicy => OF_POLICY,
            play if play.has_files() => OF_STORE,
            _ => &[World::kill_a_module],
        };
        let at = self.rng.below(faults.len());
        faults[at](self);
    }

    fn kill_a_module(&mut self) {
        if !self.processes.is_empty() {
            let at = self.rng.below(self.processes.len());
            self.kill(at);
        }
        self.bury_the_dead();
    }

    /// Several at once, maybe all.
    fn kill_modules(&mut self) {
        for at in 0..self.processes.len() {
            if self.rng.chance(70) {
                self.kill(at);
            }
        }
        self.bury_the_dead();
    }

    /// A module dies: its messages arrive in part, those to it are lost.
    fn kill(&mut self, at: usize) {
        let process = &mut self.processes[at];
        let arrives = self.rng.below(process.to_broker.len() + 1);
        process.to_broker.truncate(arrives);
        process.to_module.clear();
        process.exited = Some(SIGKILL);
        process.events.clear();
        self.kills += 1;
        let line = format!("kill {}", process.name);
        self.note(line);
    }

    /// A module takes nothing in for a while.
    fn slow_a_module(&mut self) {
        let slow = ["kvs", "content", "job-manager", "job-exec"];
        let name = slow[self.rng.below(slow.len())].to_owned();
        let steps = self.rng.below(SLOW_STEPS_MAX) as u64;
        self.note(format!("{name} is slow for {steps} steps"));
        self.slow = Some((name, steps));
    }

    /// Loses a node for a while.
    fn kill_a_follower(&mut self) {
        let rank = 1 + self.rng.below(self.brokers.len() - 1);
        self.kills += 1;
        self.follower_ends(rank, "by a fault");
        self.finish_step();
    }

    fn reload_a_module(&mut self) {
        let modules = self.play.modules();
        let at = self.rng.below(modules.len());
        self.reload(modules[at]);
    }

    /// The operator loads one again of those that jobs outlive.
    fn reload_a_service(&mut self) {
        let names = [
            "job-manager",
            "job-ingest",
            "job-list",
            "sched-backfill",
            "kvs",
        ];
        let name = names[self.rng.below(names.len())];
        self.shells.ledger.borrow_mut().n_reloads += 1;
        self.reload((name, &[]));
    }

    fn reload(&mut self, (name, args): Cast) {
        let first = self.loaders[0].reload(name, args);
        let queue = self.to_broker.entry(self.loaders[0].peer).or_default();
        queue.extend(first);
        self.note(format!("reload {name}"));
    }

    /// A program loses its link, with its messages arriving in part, and comes back.
    fn cut_a_program(&mut self) {
        let at = self.rng.below(self.programs.len());
        let peer = self.links[at];
        let arrives = self.to_broker.get(&peer).map_or(0, |queue| queue.len());
        for _ in 0..self.rng.below(arrives + 1) {
            self.perform(Choice::FromProgram(peer));
        }
        self.note(format!("cut {}", self.programs[at].name()));
        self.to_broker.remove(&peer);
        self.programs[at].cut();
        let before = self.home(peer);
        let rank = match self.brokers.len() {
            1 => 0,
            size => self.rng.below(size),
        };
        let is_up = self.runs_modules(rank);
        self.links[at] = self.connect(if is_up { rank } else { 0 });
        self.deliver_to_broker(before, Input::PeerDown { peer });
        self.finish_step();
    }

    /// Everything dies at once and begins again with the contents of the files.
    fn crash(&mut self) {
        self.note("crash".to_owned());
        self.kills += 1;
        self.processes.clear();
        self.drop_shells();
        self.to_broker.clear();
        self.links.clear();
        self.programs.iter_mut().for_each(|program| program.cut());
        self.seed += 1_000_000;
        self.homes.clear();
        self.set_the_stage();
    }
}
