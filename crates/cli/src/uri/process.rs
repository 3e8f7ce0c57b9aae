//! The instance that a process belongs to, by its environment.

use std::path::PathBuf;

use command::error::{CliError, io_text};

/// The name of brokers among processes.
const BROKER: &str = "flux-broker";

/// Finds FLUX_URI in the environment of a process, or of a child if it is a broker: the
/// environment of a broker names the instance around it.
pub fn find(pid: &str) -> Result<String, CliError> {
    let none = || CliError::new(format!("PID {pid} doesn't seem to have a FLUX_URI"));
    let status = read(pid, "status")?;
    let name = status.lines().find_map(|line| line.strip_prefix("Name:"));
    if !name.is_some_and(|name| name.contains(BROKER)) {
        return uri_of(&read(pid, "environ")?).ok_or_else(none);
    }
    let own = uri_of(&read(pid, "environ")?);
    let children = children(pid);
    if children.is_empty() {
        let text = format!("PID {pid} is a flux-broker and no child found");
        return Err(CliError::new(text));
    }
    let of_child = |child: &String| uri_of(&read(child, "environ").ok()?);
    let mut uris = children.iter().filter_map(of_child);
    uris.find(|uri| own.as_ref() != Some(uri)).ok_or_else(none)
}

/// The processes of our user for which this holds of their environment, as their URIs.
pub fn find_all(is_meant: impl Fn(&str) -> bool) -> impl Iterator<Item = String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let pids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids.filter_map(move |pid| {
        let environ = read(&pid, "environ").ok()?;
        is_meant(&environ).then(|| find(&pid).ok())?
    })
}

/// A file of a process; text in it is separated by NUL or newlines.
fn read(pid: &str, name: &str) -> Result<String, CliError> {
    let path = PathBuf::from("/proc").join(pid).join(name);
    let bytes = std::fs::read(&path)
        .map_err(|error| CliError::new(format!("{}: '{}'", io_text(&error), path.display())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn uri_of(environ: &str) -> Option<String> {
    let uri = environ
        .split('\0')
        .find_map(|pair| pair.strip_prefix("FLUX_URI="));
    uri.map(str::to_owned)
}

/// The children of a process, the first one first.
fn children(pid: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(PathBuf::from("/proc").join(pid).join("task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let mut children: Vec<u32> = lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter_map(|child| child.parse().ok())
        .collect();
    children.sort_unstable();
    children
        .into_iter()
        .map(|child| child.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_an_instance_says_so() {
        let check = |pid: &str, expect: &str| {
            assert_eq!(find(pid).unwrap_err().text(), expect);
        };
        check(
            "99999999",
            "No such file or directory: '/proc/99999999/status'",
        );
    }

    #[test]
    fn the_uri_is_one_variable_of_many() {
        assert_eq!(
            uri_of("A=1\0FLUX_URI=local:///x\0B=2").as_deref(),
            Some("local:///x")
        );
        assert_eq!(uri_of("XFLUX_URI=local:///x\0"), None);
    }
}
