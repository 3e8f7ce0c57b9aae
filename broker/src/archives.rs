//! Archives of the key-value store at both ends of an instance's life (protocol/04
//! section 9): `content.restore` is read before the kvs starts, `content.dump` is written
//! when it has stopped. The work is done by `flux restore` and `flux dump`.
//!
//! `auto` stands for the directory `dump` in the state directory, where the link
//! `RESTORE` leads to the archive from which the next start begins: blobs that the
//! archive does not hold are dropped then, which is how garbage is collected offline.

use node::Cx;
use proto::attr::names;

use crate::core::{Broker, seconds};
use crate::lifecycle::State;
use crate::limits::UNLOAD_WAIT_S;

/// Value of both attributes that lets the broker choose the file.
const AUTO: &str = "auto";

/// Progress of restoring an archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Restore {
    /// Nobody has looked yet whether there is one.
    #[default]
    Unknown,
    /// The file system is being asked.
    Looking,
    /// This one is being read through: nothing is given up for one that is damaged.
    Checking(String),
    /// This one is to be restored as soon as the content store runs.
    Due(String),
    /// The archive is being restored.
    Running,
    /// There is none, or it is restored.
    Done,
}

/// Progress of the dump at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Dump {
    /// Not begun; maybe none is wanted.
    #[default]
    Due,
    /// The archive is being written.
    Running,
    /// The archive is finished.
    Done,
}

/// The archives at both ends of an instance's life.
#[derive(Debug, Default)]
pub(crate) struct Archives {
    restore: Restore,
    dump: Dump,
}

impl Archives {
    /// True if a command of the restore is running.
    pub fn is_restoring(&self) -> bool {
        matches!(self.restore, Restore::Checking(_) | Restore::Running)
    }

    /// True if the dump is being written.
    pub fn is_dumping(&self) -> bool {
        self.dump == Dump::Running
    }

    /// Arguments with which a default module is loaded: a restored archive replaces
    /// everything.
    pub fn module_args(&self, module: &str) -> Vec<String> {
        match (module, &self.restore) {
            ("content", Restore::Due(_)) => vec!["truncate".to_owned()],
            _ => Vec::new(),
        }
    }

    /// Handles the end of the command that checks or restores: a checked archive is
    /// restored next.
    fn step_restore(&mut self, is_ok: bool) {
        self.restore = match std::mem::take(&mut self.restore) {
            Restore::Checking(path) if is_ok => Restore::Due(path),
            _ => Restore::Done,
        };
    }

    /// True if a dump is still to be started; asked once.
    fn take_dump(&mut self) -> bool {
        let is_due = self.dump == Dump::Due;
        if is_due {
            self.dump = Dump::Done;
        }
        is_due
    }
}

impl Broker {
    /// True if a default module has to wait for an archive to be found or restored.
    pub(crate) fn waits_for_restore(&mut self, cx: &mut Cx<Broker>, module: &str) -> bool {
        // The store is that of rank 0.
        if self.router.rank() != 0 {
            return false;
        }
        match (module, self.archives.restore.clone()) {
            ("content", Restore::Unknown) => self.look_for_archive(cx),
            ("content", Restore::Looking | Restore::Checking(_)) => true,
            ("kvs", Restore::Due(path)) => {
                tracing::info!("restoring content from {path}");
                let mut line = format!("flux restore --quiet --checkpoint {}", quoted(&path));
                if self.attrs.value(&names::CONTENT_RESTORE) == Some(AUTO) {
                    line += &format!(" && rm -f {}", quoted(&path));
                }
                self.archives.restore = Restore::Running;
                self.run_shell_commands(cx, "rc1", [by_sh(&line)].into());
                true
            }
            ("kvs", Restore::Running) => true,
            _ => false,
        }
    }

    fn look_for_archive(&mut self, cx: &mut Cx<Broker>) -> bool {
        let (path, is_auto) = match self.attrs.value(&names::CONTENT_RESTORE) {
            None | Some("") => {
                self.archives.restore = Restore::Done;
                return false;
            }
            Some(AUTO) => (format!("{}/RESTORE", self.dump_folder()), true),
            Some(path) => (path.to_owned(), false),
        };
        self.archives.restore = Restore::Looking;
        cx.work(
            move |files| files.check_file(&path).map(|()| path),
            move |core: &mut Broker, cx, found| {
                core.archives.restore = match found {
                    Ok(path) if core.life.state() == State::Init && !core.life.start_failed() => {
                        let line = format!("flux restore --quiet --check {}", quoted(&path));
                        core.run_shell_commands(cx, "rc1", [by_sh(&line)].into());
                        Restore::Checking(path)
                    }
                    Ok(_) => Restore::Done,
                    Err(error) if is_auto && error.errno == wire::Errno::ENOENT => Restore::Done,
                    Err(error) => {
                        tracing::error!("rc1: content.restore: {error}");
                        core.life.fail_start();
                        Restore::Done
                    }
                };
                core.start_modules(cx);
            },
        );
        true
    }

    /// The command that checks or restores an archive has ended.
    pub(crate) fn restored(&mut self, cx: &mut Cx<Broker>, code: i32) {
        self.archives.step_restore(code == 0);
        if code != 0 {
            tracing::error!("rc1: content.restore failed");
            self.life.fail_start();
        }
        self.start_modules(cx);
    }

    /// True if the content store has to stay for the dump, which is then started.
    pub(crate) fn waits_for_dump(&mut self, cx: &mut Cx<Broker>) -> bool {
        if self.router.rank() != 0 {
            return false;
        }
        if !self.archives.take_dump() {
            return self.archives.is_dumping();
        }
        let line = match self.attrs.value(&names::CONTENT_DUMP) {
            // An instance that did not come up is no state to start from.
            _ if self.life.start_failed() => return false,
            None | Some("") => return false,
            Some(AUTO) => {
                let folder = quoted(&self.dump_folder());
                format!(
                    "umask 077 && mkdir -p {folder} && cd {folder} && name=$(date +%Y%m%d_%H%M%S).tgz && \
                     echo \"dumping content to $PWD/$name\" && {DUMP} \"$name\" && ln -sfn \"$name\" RESTORE"
                )
            }
            Some(path) => {
                tracing::info!("dumping content to {path}");
                format!("{DUMP} {}", quoted(path))
            }
        };
        self.archives.dump = Dump::Running;
        self.run_shell_commands(cx, "rc3", [by_sh(&line)].into());
        true
    }

    /// The command that dumps has ended.
    pub(crate) fn dumped(&mut self, cx: &mut Cx<Broker>, code: i32) {
        self.archives.dump = Dump::Done;
        if code != 0 {
            tracing::error!("rc3: content.dump failed");
        }
        self.stop_next_modules(cx);
    }

    /// Kills modules that do not stop in time. Modules needed for the dump get more time.
    pub(crate) fn watch_unloading(&mut self, cx: &mut Cx<Broker>) {
        cx.timer(seconds(UNLOAD_WAIT_S), |core: &mut Broker, cx| {
            match core.archives.is_dumping() {
                true => core.watch_unloading(cx),
                false => core.kill_modules(cx),
            }
        });
    }

    /// Where dumps are kept: with the state, unless that goes with the instance.
    fn dump_folder(&self) -> String {
        let keeps = self.attrs.value(&names::STATEDIR_CLEANUP) != Some("1");
        match self.attrs.value(&names::STATEDIR).filter(|_| keeps) {
            Some(statedir) => format!("{statedir}/dump"),
            None => "dump".to_owned(),
        }
    }
}

/// A dump for which a key that cannot be read is no reason to have none at all.
const DUMP: &str = "flux dump --quiet --checkpoint --ignore-failed-read";

/// A word of a shell command.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command of sh(1), for users of any shell.
pub(crate) fn by_sh(line: &str) -> String {
    format!("/bin/sh -c {}", quoted(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_restored_only_after_it_was_read_through() {
        let path = || "a.tgz".to_owned();
        for (restore, is_ok, want) in [
            (Restore::Checking(path()), true, Restore::Due(path())),
            (Restore::Checking(path()), false, Restore::Done),
            (Restore::Running, true, Restore::Done),
            (Restore::Running, false, Restore::Done),
        ] {
            let mut archives = Archives {
                restore,
                ..Archives::default()
            };
            assert!(archives.is_restoring());
            archives.step_restore(is_ok);
            assert_eq!(archives.restore, want);
            let is_due = want != Restore::Done;
            assert_eq!(archives.module_args("content").is_empty(), !is_due);
            assert!(archives.module_args("kvs").is_empty());
        }
    }

    #[test]
    fn a_dump_is_begun_once() {
        let mut archives = Archives::default();
        assert!(archives.take_dump() && !archives.take_dump());
        assert!(!archives.is_dumping());
    }

    #[test]
    fn words_survive_two_shells() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(by_sh("rm 'a'"), r"/bin/sh -c 'rm '\''a'\'''");
    }
}
