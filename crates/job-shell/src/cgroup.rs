//! Usage that the kernel counts for the control group of the shell and its tasks (cgroup v2).
//! Called by the worker.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Mount point of the hierarchy.
pub const MOUNT: &str = "/sys/fs/cgroup";

/// File in which the kernel names our group.
pub const OWN: &str = "/proc/self/cgroup";

/// A control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    folder: PathBuf,
}

/// Usage, as far as it is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processes that were killed for want of memory.
    pub oom_kills: Option<u64>,
    /// Bytes at most so far.
    pub peak: Option<u64>,
    /// Bytes now.
    pub current: Option<u64>,
    /// Microseconds of processor time.
    pub cpu_us: Option<u64>,
}

impl Cgroup {
    /// The group that `own`, the contents of [`OWN`], names; `None` if the hierarchy at `mount`
    /// is not the one of version 2.
    pub fn find(mount: &Path, own: &str) -> Option<Cgroup> {
        let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let is_unified = mount.join("cgroup.controllers").exists();
        is_unified.then(|| Cgroup {
            folder: mount.join(path),
        })
    }

    /// Ours.
    pub fn own() -> Option<Cgroup> {
        Cgroup::find(Path::new(MOUNT), &read_to_string(OWN).ok()?)
    }

    /// Number of OOM kills by the kernel; nothing else is read.
    pub fn oom_kills(&self) -> Option<u64> {
        self.entry("memory.events", "oom_kill")
    }

    /// All that is counted.
    pub fn usage(&self) -> Usage {
        Usage {
            oom_kills: self.oom_kills(),
            peak: self.number("memory.peak"),
            current: self.number("memory.current"),
            cpu_us: self.entry("cpu.stat", "usage_usec"),
        }
    }

    fn read(&self, name: &str) -> Option<String> {
        read_to_string(self.folder.join(name)).ok()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.read(name)?.trim().parse().ok()
    }

    /// The number behind a word, on a line of its own.
    fn entry(&self, name: &str, word: &str) -> Option<u64> {
        let text = self.read(name)?;
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == word)?.1.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};

    use super::*;

    const HYBRID: &str = "4:memory:/a\n0::/user/job\n";

    #[test]
    fn a_group_of_version_2_is_found_and_read() {
        let mount = tempfile::tempdir().unwrap();
        let folder = mount.path().join("user/job");
        create_dir_all(&folder).unwrap();
        assert_eq!(Cgroup::find(mount.path(), HYBRID), None, "version 1");
        write(mount.path().join("cgroup.controllers"), "memory\n").unwrap();
        assert_eq!(Cgroup::find(mount.path(), "4:memory:/a\n"), None);
        let group = Cgroup::find(mount.path(), HYBRID).unwrap();
        assert_eq!(group.usage(), Usage::default(), "no controllers");
        write(folder.join("memory.events"), "low 0\noom 2\noom_kill 1\n").unwrap();
        write(folder.join("memory.peak"), "4096\n").unwrap();
        write(folder.join("memory.current"), "max\n").unwrap();
        write(folder.join("cpu.stat"), "usage_usec 77\nuser_usec 70\n").unwrap();
        let expect = Usage {
            oom_kills: Some(1),
            peak: Some(4096),
            current: None,
            cpu_us: Some(77),
        };
        assert_eq!(group.usage(), expect);
    }
}
