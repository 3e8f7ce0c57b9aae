//! runat.*: commands to run at a point of the broker's life (protocol/03 section 10).

use std::collections::{BTreeMap, VecDeque};

use node::{Cx, Peer, Routes};
use proto::Empty;
use proto::runat::{Push, PushError};

use crate::core::Broker;
use crate::limits::RUNAT_COMMANDS_MAX;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.on::<Push>(push)
}

fn push(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Push) -> Result<Empty, PushError> {
    core.runat.push(req).map(|()| Empty)
}

/// Lists of commands by name, next command first.
#[derive(Debug, Default)]
pub(crate) struct Runat(BTreeMap<String, VecDeque<String>>);

impl Runat {
    fn push(&mut self, req: Push) -> Result<(), PushError> {
        if req.commands.is_empty() {
            return Err(PushError::NoCommands);
        }
        if req.commands.iter().any(String::is_empty) {
            return Err(PushError::EmptyCommand);
        }
        let list = self.0.entry(req.name).or_default();
        if list.len() + req.commands.len() > RUNAT_COMMANDS_MAX {
            return Err(PushError::Full);
        }
        // The last one pushed runs first.
        for command in req.commands {
            list.push_front(command);
        }
        Ok(())
    }

    /// Takes the commands of a list, in the order in which they are to run.
    pub(crate) fn take(&mut self, name: &str) -> VecDeque<String> {
        self.0.remove(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(runat: &mut Runat, commands: &[&str]) -> Result<(), PushError> {
        let commands = commands.iter().map(|line| (*line).to_owned()).collect();
        let name = "cleanup".to_owned();
        runat.push(Push { name, commands })
    }

    #[test]
    fn the_last_command_runs_first_and_once() {
        let mut runat = Runat::default();
        for (commands, want) in [
            (&["a", "b"][..], Ok(())),
            (&["c"], Ok(())),
            (&[], Err(PushError::NoCommands)),
            (&["d", ""], Err(PushError::EmptyCommand)),
        ] {
            assert_eq!(push(&mut runat, commands), want);
        }
        assert!(runat.take("other").is_empty());
        assert_eq!(runat.take("cleanup"), ["c", "b", "a"]);
        assert!(runat.take("cleanup").is_empty());
    }

    #[test]
    fn a_list_takes_no_more_than_it_has_room_for() {
        let mut runat = Runat::default();
        let all = vec!["a"; RUNAT_COMMANDS_MAX];
        assert_eq!(push(&mut runat, &all), Ok(()));
        assert_eq!(push(&mut runat, &["b"]), Err(PushError::Full));
    }
}
