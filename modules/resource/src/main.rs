//! The resource module as a process: its worker looks at the machine that it runs on.

fn main() -> std::process::ExitCode {
    runtime::module_main::<resource::Resource>(|| Box::new(resource::ThisMachine))
}
