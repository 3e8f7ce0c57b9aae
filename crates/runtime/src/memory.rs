//! Memory limit of this process: that of the machine, or less where a control group or a
//! resource limit is lower. And the way back for memory that it has had.

use std::fs;
use std::path::Path;

use nix::libc;
use nix::sys::resource::{Resource, getrlimit};

use crate::limits::{MEMORY_BYTES_MIN, MEMORY_FRACTION};

/// Default limit of the messages of clients.
pub fn message_bytes() -> usize {
    share_of(available_bytes())
}

/// Returns to the system the free memory of the allocator. Other allocators than that of
/// glibc do so by themselves or not at all.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks, and touches only what is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn share_of(available: Option<u64>) -> usize {
    let share = available.map_or(0, |bytes| bytes / MEMORY_FRACTION as u64);
    usize::try_from(share)
        .unwrap_or(usize::MAX)
        .max(MEMORY_BYTES_MIN)
}

/// The least of all bounds that can be read.
fn available_bytes() -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| mem_total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let group = group_limit(&groups, |path| read(Path::new(path)));
    let process = getrlimit(Resource::RLIMIT_AS).ok().map(|(soft, _)| soft);
    [machine, group, process].into_iter().flatten().min()
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn mem_total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The least limit of the control groups named in `/proc/self/cgroup` and of those above
/// them, in bytes. Inside of a container the path may not be there, but its root is.
fn group_limit(groups: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        let above = Path::new(path).ancestors().filter_map(Path::to_str);
        let limits = above.filter_map(|path| {
            let text = read(&format!("{root}{}/{file}", path.trim_end_matches('/')))?;
            text.trim().parse().ok()
        });
        limits.min()
    };
    groups.lines().filter_map(of_line).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_how_much_it_has() {
        assert_eq!(
            mem_total("MemTotal:       16384 kB\nMemFree: 1 kB\n"),
            Some(16 << 20)
        );
        assert_eq!(mem_total("MemTotal: x kB"), None);
    }

    #[test]
    fn the_least_limit_of_a_group_and_those_above_it_counts() {
        let files = [
            ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/memory.max", "2000\n"),
            ("/sys/fs/cgroup/memory.max", "3000\n"),
            ("/sys/fs/cgroup/memory/old/memory.limit_in_bytes", "1000\n"),
        ];
        let check = |groups: &str, want: Option<u64>| {
            let read = |path: &str| {
                let mut files = files.iter();
                files
                    .find(|(name, _)| *name == path)
                    .map(|(_, text)| (*text).to_owned())
            };
            assert_eq!(group_limit(groups, read), want, "{groups}");
        };
        check("0::/a/b\n", Some(2000));
        check("0::/elsewhere\n", Some(3000));
        check("5:cpu:/a\n4:memory:/old\n0::/a\n", Some(1000));
        check("", None);
    }

    #[test]
    fn an_eighth_is_for_messages_and_small_machines_have_a_least() {
        assert_eq!(share_of(Some(8 << 30)), 1 << 30);
        assert_eq!(share_of(Some(100 << 20)), MEMORY_BYTES_MIN);
        assert_eq!(share_of(None), MEMORY_BYTES_MIN);
    }
}
