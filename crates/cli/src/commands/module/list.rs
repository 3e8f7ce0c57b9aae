//! `flux module list`

use proto::module::{self, ModuleInfo, ModuleStatus};

use command::error::CliError;
use command::flux::Flux;

/// Longest idle time that is shown, in seconds.
const IDLE_MAX: i64 = 99;

/// Width of the services where the path follows.
const SERVICES_WIDTH: usize = 8;

/// List the loaded modules
#[derive(clap::Args)]
pub struct List {
    /// Show the path of each module's program
    #[arg(short, long)]
    long: bool,
}

impl List {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let list = handle.rpc(&module::List)?;
        let services = self.services("Service", "Path");
        flux.line(format_args!(
            "Module                    Idle  S Sendq Recvq {services}"
        ))?;
        for info in &list.mods {
            flux.line(self.row(info))?;
        }
        Ok(())
    }

    fn row(&self, info: &ModuleInfo) -> String {
        let idle = match info.idle {
            seconds if seconds > IDLE_MAX => "idle".to_owned(),
            seconds => seconds.to_string(),
        };
        let letter = match ModuleStatus::from_number(info.status) {
            Some(ModuleStatus::Init) => 'I',
            Some(ModuleStatus::Running) => 'R',
            Some(ModuleStatus::Finalizing) => 'F',
            Some(ModuleStatus::Exited) => 'X',
            None => '?',
        };
        let others = info
            .services
            .iter()
            .filter(|service| **service != info.name);
        let others: Vec<&str> = others.map(String::as_str).collect();
        let services = self.services(&others.join(","), &info.path);
        let (name, sendq, recvq) = (&info.name, info.sendqueue, info.recvqueue);
        format!("{name:<25.25} {idle:>4}  {letter} {sendq:>5} {recvq:>5} {services}")
    }

    fn services(&self, services: &str, path: &str) -> String {
        if !self.long {
            return services.to_owned();
        }
        let mut shown = services.to_owned();
        if shown.chars().count() > SERVICES_WIDTH {
            shown = shown.chars().take(SERVICES_WIDTH - 1).collect();
            shown.push('+');
        }
        format!("{shown:<SERVICES_WIDTH$} {path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(long: bool, idle: i64, services: &[&str], expect: &str) {
        let info = ModuleInfo {
            name: "kvs".to_owned(),
            path: "/x/flux-module-kvs".to_owned(),
            idle,
            status: 1,
            services: services
                .iter()
                .map(|service| (*service).to_owned())
                .collect(),
            sendqueue: 0,
            recvqueue: 12,
        };
        assert_eq!(List { long }.row(&info), expect);
    }

    #[test]
    fn rows_line_up_with_the_header() {
        check(
            false,
            3,
            &[],
            "kvs                          3  R     0    12 ",
        );
        check(
            false,
            100,
            &["kvs", "a", "b"],
            "kvs                       idle  R     0    12 a,b",
        );
        check(
            true,
            99,
            &["long-service"],
            "kvs                         99  R     0    12 long-se+ /x/flux-module-kvs",
        );
        check(
            true,
            99,
            &[],
            "kvs                         99  R     0    12          /x/flux-module-kvs",
        );
    }
}
