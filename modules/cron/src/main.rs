//! The cron module as a process. Its worker knows the zone in which times are meant.

fn main() -> std::process::ExitCode {
    runtime::module_main::<cron::Cron>(jiff::tz::TimeZone::system)
}
