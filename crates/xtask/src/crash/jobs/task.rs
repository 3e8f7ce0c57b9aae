//! Work of the job of a number, and its expected result: both follow from the number
//! alone, so nothing has to be remembered but the number.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// The exit codes in turn; the last one is that of a task that kills itself.
const CODES: [i32; 4] = [0, 1, 7, 137];

/// Lines of output in turn; the last one makes some 100 KB.
const LINES: [u64; 5] = [1, 0, 20, 1, 1500];

/// One of N lines is a complaint, on the other stream.
const COMPLAINT_EVERY: u64 = 8;

/// `task N CODE LINES PAUSE`. Leaves a mark when it begins and when it is done, each
/// with one write at the end of the file, outside of the instance.
const SCRIPT: &str = r#"#!/bin/sh
n=$1 code=$2 lines=$3 pause=$4
write() {
	i=$1
	while test $i -lt $2
	do
		test $((i % 8)) = 0 && echo "complaint $i of job $n" >&2
		echo "line $i of job $n, as long as lines of some program's output often are"
		i=$((i + 1))
	done
}
echo "$n begin" >>"$0.marks"
write 0 $((lines / 2))
test $pause = 0 || sleep $pause
write $((lines / 2)) $lines
printf "end of %s" $n
echo "$n end" >>"$0.marks"
test $code != 137 || kill -KILL $$
exit $code
"#;

/// The job of a number.
#[derive(Debug, Clone, Copy)]
pub struct Task(pub u64);

impl Task {
    /// The exit code that a shell would show.
    pub fn code(self) -> i32 {
        CODES[(self.0 % CODES.len() as u64) as usize]
    }

    fn lines(self) -> u64 {
        LINES[(self.0 % LINES.len() as u64) as usize]
    }

    /// Seconds that it waits with half of its output.
    fn pause(self) -> &'static str {
        match self.0 % 3 {
            0 => "0",
            1 => "0.1",
            _ => "0.3",
        }
    }

    /// All of its standard output.
    pub fn stdout(self) -> String {
        let mut text = String::new();
        for i in 0..self.lines() {
            let _ = writeln!(
                text,
                "line {i} of job {}, as long as lines of some program's output often are",
                self.0
            );
        }
        text + &format!("end of {}", self.0)
    }

    /// All of its standard error.
    pub fn stderr(self) -> String {
        let complaints = (0..self.lines()).filter(|i| i % COMPLAINT_EVERY == 0);
        complaints
            .map(|i| format!("complaint {i} of job {}\n", self.0))
            .collect()
    }

    /// Name, by which it is found, no matter who submitted it.
    pub fn name(self) -> String {
        format!("crash{}", self.0)
    }
}

/// The script that all jobs run, and the marks that they leave.
pub struct Script(PathBuf);

impl Script {
    /// Puts it into a folder.
    pub fn new(folder: &Path) -> Result<Script> {
        let path = folder.join("task");
        fs::write(&path, SCRIPT)?;
        Ok(Script(path))
    }

    /// The command that runs a task.
    pub fn command(&self, task: Task) -> Vec<String> {
        vec![
            "/bin/sh".to_owned(),
            self.0.display().to_string(),
            task.0.to_string(),
            task.code().to_string(),
            task.lines().to_string(),
            task.pause().to_owned(),
        ]
    }

    /// Number of starts and ends of each task.
    pub fn marks(&self) -> Result<Marks> {
        let path = format!("{}.marks", self.0.display());
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        Ok(Marks::of(&text))
    }
}

/// Number of starts and ends of tasks.
#[derive(Debug, Default)]
pub struct Marks(std::collections::BTreeMap<u64, (u64, u64)>);

impl Marks {
    fn of(text: &str) -> Marks {
        let mut marks = Marks::default();
        for line in text.lines() {
            let Some((n, mark)) = line.split_once(' ') else {
                continue;
            };
            let (begins, ends) = marks.0.entry(n.parse().unwrap_or(u64::MAX)).or_default();
            match mark {
                "begin" => *begins += 1,
                _ => *ends += 1,
            }
        }
        marks
    }

    /// Number of starts and ends of the task.
    pub fn of_task(&self, task: Task) -> (u64, u64) {
        self.0.get(&task.0).copied().unwrap_or_default()
    }

    /// All tasks that began.
    pub fn tasks(&self) -> impl Iterator<Item = Task> {
        self.0.keys().copied().map(Task)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn tasks_do_what_is_expected_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let script = Script::new(folder.path()).unwrap();
        for n in 0..20 {
            let task = Task(3 * n);
            let command = script.command(task);
            let output = Command::new(&command[0]).args(&command[1..]).output();
            let output = output.unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), task.stdout());
            assert_eq!(String::from_utf8_lossy(&output.stderr), task.stderr());
            assert_eq!(output.status.code().unwrap_or(137), task.code());
            assert_eq!(script.marks().unwrap().of_task(task), (1, 1));
        }
        assert_eq!(script.marks().unwrap().of_task(Task(1)), (0, 0));
    }
}
