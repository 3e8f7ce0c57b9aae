//! `flux admin system-scripts`: scripts that run before and after jobs.

use std::path::{Path, PathBuf};

use client::Handle;
use command::error::CliError;
use command::flux::Flux;
use proto::config::{self, keys};
use proto::data::dotted;
use proto::job_manager::Jobtap;
use serde_json::{Map, Value};

use crate::layout::{Layout, is_executable};

/// Plugin that runs prologs and epilogs.
const PLUGIN: &str = "perilog";

/// Directory of a site's own scripts.
const SITE_FOLDER: &str = "/etc/flux/system";

/// Show the scripts that run before and after jobs
#[derive(clap::Args)]
pub struct SystemScripts {
    /// Show scripts that are not configured too
    #[arg(short, long)]
    verbose: bool,
    /// Colour the output: auto, always or never
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true,
        default_value = "auto", default_missing_value = "always", hide_default_value = true)]
    color: clap::ColorChoice,
}

/// Something that runs before or after jobs.
struct Kind {
    name: &'static str,
    key: &'static str,
    /// A setting shown beside the state, and its default.
    setting: (&'static str, Option<&'static str>),
    needs_plugin: bool,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "prolog",
        key: keys::JOB_MANAGER_PROLOG.path,
        setting: ("per-rank", Some("false")),
        needs_plugin: true,
    },
    Kind {
        name: "epilog",
        key: keys::JOB_MANAGER_EPILOG.path,
        setting: ("per-rank", Some("false")),
        needs_plugin: true,
    },
    Kind {
        name: "housekeeping",
        key: keys::JOB_MANAGER_HOUSEKEEPING.path,
        setting: ("release-after", None),
        needs_plugin: false,
    },
];

impl SystemScripts {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let config = handle.rpc(&config::Get)?.0;
        let has_plugin = has_plugin(&mut handle)?;
        let is_coloured = flux.wants_color(self.color);
        for kind in &KINDS {
            let table = dotted::get(&config, kind.key).and_then(Value::as_object);
            let is_active = has_plugin || !kind.needs_plugin;
            for line in lines(kind, table, is_active, self.verbose) {
                let line = flux.plain().line(&line).into_owned();
                let line = if is_coloured { coloured(&line) } else { line };
                writeln!(flux.out, "{line}")?;
            }
        }
        Ok(())
    }
}

fn has_plugin(handle: &mut Handle) -> Result<bool, CliError> {
    let request = Jobtap {
        query_only: Some(true),
        ..Jobtap::default()
    };
    let plugins = handle.rpc(&request)?.plugins.unwrap_or_default();
    let is_it = |name: &String| name.trim_start_matches('.').trim_end_matches(".so") == PLUGIN;
    Ok(plugins.iter().any(is_it))
}

/// The state of one kind and, if there are any, its scripts.
fn lines(
    kind: &Kind,
    table: Option<&Map<String, Value>>,
    is_active: bool,
    is_verbose: bool,
) -> Vec<String> {
    let state = match (table, is_active) {
        (None, _) => "not configured".to_owned(),
        (Some(_), false) => "configured but inactive".to_owned(),
        (Some(table), true) => format!("enabled{}", setting(kind, table)),
    };
    let mut lines = vec![format!("▸ {}: {state}", kind.name)];
    let command: Vec<&str> = table
        .and_then(|table| table.get("command")?.as_array())
        .map(|words| words.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if !command.is_empty() && !runs_scripts(&command) {
        lines.push(format!("  command: {}", command.join(" ")));
    } else if table.is_some() || is_verbose {
        let own = Layout::find().map(|layout| layout.exec.join(format!("{}.d", kind.name)));
        if let Ok(own) = own {
            lines.extend(folder("system", &own));
        }
        lines.extend(site(kind));
    }
    if lines.len() > 1 {
        lines.push(String::new());
    }
    lines
}

fn setting(kind: &Kind, table: &Map<String, Value>) -> String {
    let (name, default) = kind.setting;
    let value = table.get(name).map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let value = value.or(default.map(str::to_owned));
    value.map_or_else(String::new, |value| format!(" ({name}={value})"))
}

/// True if a command is the one that runs the scripts of directories.
fn runs_scripts(command: &[&str]) -> bool {
    let program = command
        .first()
        .and_then(|program| Path::new(program).file_name());
    program.is_some_and(|program| program == "flux-imp") && command.get(1) == Some(&"run")
}

/// The scripts of the site: one file in the place of a folder counts.
fn site(kind: &Kind) -> Vec<String> {
    let single = Path::new(SITE_FOLDER).join(kind.name);
    match single.is_file() {
        true => vec![format!("  site: {}", single.display()), script(&single)],
        false => folder(
            "site",
            &Path::new(SITE_FOLDER).join(format!("{}.d", kind.name)),
        ),
    }
}

fn folder(name: &str, path: &Path) -> Vec<String> {
    let mut lines = vec![format!("  {name}: {}", path.display())];
    let entries = path.read_dir().into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    lines.extend(
        paths
            .iter()
            .filter(|path| path.is_file())
            .map(|path| script(path)),
    );
    lines
}

fn script(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match is_executable(path) {
        true => format!("    ✓ {name}"),
        false => format!("    ✗ not executable {name}"),
    }
}

/// Green for enabled scripts, red for disabled ones.
fn coloured(line: &str) -> String {
    let paint =
        |sign: &str, colour: u8| line.replacen(sign, &format!("\x1b[{colour}m{sign}\x1b[0m"), 1);
    if line.starts_with("    ✓") {
        paint("✓", 32)
    } else if line.starts_with("    ✗") {
        paint("✗", 31)
    } else if line.contains(": enabled") {
        paint("enabled", 32)
    } else if line.contains(": configured but inactive") {
        paint("configured but inactive", 33)
    } else {
        line.to_owned()
    }
}
