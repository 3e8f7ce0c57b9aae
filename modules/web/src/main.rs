//! The web module as a process: its worker starts the HTTP server.

fn main() -> std::process::ExitCode {
    runtime::module_main::<web::Web>(|| Box::new(web::serve::ThisHost::default()))
}
