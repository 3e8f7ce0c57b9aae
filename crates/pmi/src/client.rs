//! A process's side of PMI: which way there is to the launcher, and the calls, which are
//! the same on all of them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use crate::library::{Pmi1, Pmi2};
use crate::simple::Simple;

/// The ways there are, in the order in which they are tried (protocol/20 section 11).
pub const METHODS: &[&str] = &["config", "simple", "libpmi2", "libpmi", "single"];

/// Reason for a missing answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This way is not there; the next one may be.
    #[error("{0}")]
    NotHere(String),
    /// The launcher said no.
    #[error("{}", crate::result::text(*.0))]
    Refused(i32),
    /// The launcher went away or said something else.
    #[error("{0}")]
    Broken(String),
    /// No way was left, or none is known by this name.
    #[error("plugin matching '{0}' not found")]
    Unknown(String),
    /// A signal came while the launcher was waited for.
    #[error("interrupted by a signal")]
    Interrupted,
}

impl Error {
    /// The code by which a function of the C interfaces says it.
    pub fn code(&self) -> i32 {
        match self {
            Error::Refused(code) => *code,
            _ => crate::result::FAIL,
        }
    }
}

/// Place of a process in its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Number, from 0.
    pub rank: u32,
    /// Number of processes.
    pub size: u32,
    /// Name of the program: the id of the job, under a Flux instance.
    pub name: String,
}

/// Takes a line for each step.
pub type Trace = Box<dyn FnMut(&str)>;

/// Inputs of [`begin`].
#[derive(Default)]
pub struct Options {
    /// Ways to try, each `NAME` or `NAME:PATH`; empty for [`METHODS`].
    pub methods: Vec<String>,
    /// Variables by name.
    pub env: BTreeMap<String, String>,
    /// True if the caller has a configuration with the ranks.
    pub has_config: bool,
    /// Readable when the waiting is to end: a signalfd.
    pub interrupt: Option<OwnedFd>,
    /// Called for each step.
    pub trace: Option<Trace>,
}

/// Result of beginning a program.
pub enum Begun {
    /// The configuration says it.
    Config,
    /// A launcher says it, or nobody did and the process is alone.
    Client(Client),
}

/// A way to the launcher.
pub(crate) trait Method {
    /// Adds a value that the others may read after the next barrier.
    fn put(&mut self, key: &str, value: &str) -> Result<(), Error>;
    /// Value put by another process, or the launcher.
    fn get(&mut self, key: &str, from: Option<u32>) -> Result<String, Error>;
    /// Waits until all have come here.
    fn barrier(&mut self) -> Result<(), Error>;
    /// Says goodbye.
    fn finalize(&mut self) -> Result<(), Error>;
    /// Ends all processes of the program.
    fn abort(&mut self, code: i32, message: &str) -> Result<(), Error>;
}

/// A process in touch with its launcher.
pub struct Client {
    name: &'static str,
    info: Info,
    method: Box<dyn Method>,
    trace: Option<Trace>,
}

/// The ways to try: the one that is asked for, else those that the environment names, else
/// none in particular.
pub fn methods(wanted: Option<&str>, env: &BTreeMap<String, String>) -> Vec<String> {
    if let Some(method) = wanted {
        return vec![method.to_owned()];
    }
    let methods = env.get("FLUX_PMI_CLIENT_METHODS");
    let methods = methods.map(|methods| methods.split_whitespace().map(str::to_owned));
    methods.map(Iterator::collect).unwrap_or_default()
}

/// Tries one way after the other; the first that is there is taken.
///
/// # Errors
/// [`Error::Unknown`] for an unknown name, and the error of the last method if none is
/// available. A way that begins and then breaks is not passed over.
pub fn begin(mut options: Options) -> Result<Begun, Error> {
    let is_asked_for = !options.methods.is_empty();
    let has_launcher = is_asked_for || options.env.keys().any(|name| is_of_launcher(name));
    let methods = match options.methods.is_empty() {
        true => METHODS.iter().map(|name| (*name).to_owned()).collect(),
        false => std::mem::take(&mut options.methods),
    };
    let mut last = Error::Unknown(methods.join(" "));
    for method in methods {
        let (name, path) = match method.split_once(':') {
            Some((name, path)) => (name, Some(path)),
            None => (method.as_str(), None),
        };
        let Some(name) = METHODS.iter().find(|known| **known == name) else {
            return Err(Error::Unknown(name.to_owned()));
        };
        log(
            &mut options.trace,
            &format!("flux-pmi-client: trying '{name}'"),
        );
        let opened = match name.starts_with("lib") && !has_launcher {
            true => Err(Error::NotHere("no launcher found in environ".to_owned())),
            false => open(name, path, &mut options),
        };
        match opened {
            Ok(None) => {
                log(&mut options.trace, &format!("{name}: selected"));
                return Ok(Begun::Config);
            }
            Ok(Some((info, method))) => {
                return Ok(Begun::Client(selected(name, info, method, options)));
            }
            Err(Error::NotHere(why)) => {
                log(&mut options.trace, &format!("{name}: {why}"));
                last = Error::NotHere(why);
            }
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// True if a variable shows that a launcher has started us. A library is not even loaded
/// without one: Slurm's reads the site's configuration, and ends the process where that is
/// not as it should be.
fn is_of_launcher(variable: &str) -> bool {
    ["PMI_", "PMI2_", "PMIX_", "SLURM_PROCID", "PALS_", "ALPS_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

type Opened = Option<(Info, Box<dyn Method>)>;

/// `None` is the configuration.
fn open(name: &str, path: Option<&str>, options: &mut Options) -> Result<Opened, Error> {
    Ok(Some(match name {
        "config" if options.has_config => return Ok(None),
        "config" => {
            let text = "bootstrap configuration not found";
            return Err(Error::NotHere(text.to_owned()));
        }
        "simple" => {
            let (info, simple) = Simple::open(&options.env, options.interrupt.take())?;
            (info, Box::new(simple))
        }
        "libpmi2" => {
            let (info, library) = Pmi2::open(path).map_err(no_launcher)?;
            (info, Box::new(library))
        }
        "libpmi" => {
            let (info, library) = Pmi1::open(path).map_err(no_launcher)?;
            (info, Box::new(library))
        }
        _ => (alone(), Box::new(Single::default())),
    }))
}

/// A library without its launcher says no at some step, each one at another.
fn no_launcher(error: Error) -> Error {
    Error::NotHere(error.to_string())
}

fn selected(name: &'static str, info: Info, method: Box<dyn Method>, options: Options) -> Client {
    let mut trace = options.trace;
    let Info {
        rank,
        size,
        name: program,
    } = &info;
    log(&mut trace, &format!("{name}: selected"));
    let text = format!("{name}: initialize: rank={rank} size={size} name={program}: success");
    log(&mut trace, &text);
    Client {
        name,
        info,
        method,
        trace,
    }
}

fn log(trace: &mut Option<Trace>, text: &str) {
    if let Some(trace) = trace {
        trace(text);
    }
}

impl Client {
    /// The way that was taken: one of [`METHODS`].
    pub fn method(&self) -> &'static str {
        self.name
    }

    /// Place of this process.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Adds a value that the others may read after the next barrier.
    pub fn put(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let result = self.method.put(key, value);
        self.traced(&format!("put key={key} value={value}"), result)
    }

    /// Value of the launcher; an error if it does not know the key.
    pub fn get(&mut self, key: &str) -> Result<String, Error> {
        let result = self.method.get(key, None);
        self.traced_value(key, result)
    }

    /// Value that the process `rank` has put before a barrier.
    pub fn get_from(&mut self, rank: u32, key: &str) -> Result<String, Error> {
        let result = self.method.get(key, Some(rank));
        self.traced_value(key, result)
    }

    /// Waits until all have come here.
    pub fn barrier(&mut self) -> Result<(), Error> {
        let result = self.method.barrier();
        self.traced("barrier", result)
    }

    /// Sends goodbye.
    pub fn finalize(mut self) -> Result<(), Error> {
        let result = self.method.finalize();
        self.traced("finalize", result)
    }

    /// Ends all processes of the program.
    pub fn abort(&mut self, code: i32, message: &str) -> Result<(), Error> {
        let result = self.method.abort(code, message);
        self.traced("abort", result)
    }

    fn traced_value(&mut self, key: &str, result: Result<String, Error>) -> Result<String, Error> {
        let shown = match &result {
            Ok(value) => format!("get key={key} value={value}"),
            Err(_) => format!("get key={key}"),
        };
        self.traced(&shown, result)
    }

    fn traced<T>(&mut self, what: &str, result: Result<T, Error>) -> Result<T, Error> {
        let outcome = match &result {
            Ok(_) => "success".to_owned(),
            Err(error) => error.to_string(),
        };
        let text = format!("{}: {what}: {outcome}", self.name);
        log(&mut self.trace, &text);
        result
    }
}

fn alone() -> Info {
    Info {
        rank: 0,
        size: 1,
        name: "single".to_owned(),
    }
}

/// Nobody started us: we are all there is.
#[derive(Default)]
struct Single(BTreeMap<String, String>);

impl Method for Single {
    fn put(&mut self, key: &str, value: &str) -> Result<(), Error> {
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn get(&mut self, key: &str, _from: Option<u32>) -> Result<String, Error> {
        let value = self.0.get(key).cloned();
        value.ok_or(Error::Refused(crate::result::INVALID_KEY))
    }

    fn barrier(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn finalize(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn abort(&mut self, _code: i32, _message: &str) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    fn check(methods: &[&str], has_config: bool, expect: &str) {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let kept = lines.clone();
        let begun = begin(Options {
            methods: methods.iter().map(|name| (*name).to_owned()).collect(),
            has_config,
            trace: Some(Box::new(move |line| {
                kept.borrow_mut().push(line.to_owned())
            })),
            ..Options::default()
        });
        let end = match begun {
            Ok(Begun::Config) => "config".to_owned(),
            Ok(Begun::Client(client)) => format!("{:?}", client.info()),
            Err(error) => error.to_string(),
        };
        lines.borrow_mut().push(end);
        assert_eq!(lines.borrow().join("\n"), expect, "{methods:?}");
    }

    #[test]
    fn ways_are_tried_in_order() {
        check(
            &["config", "simple", "single"],
            false,
            "flux-pmi-client: trying 'config'\n\
             config: bootstrap configuration not found\n\
             flux-pmi-client: trying 'simple'\n\
             simple: PMI_FD not found in environ\n\
             flux-pmi-client: trying 'single'\n\
             single: selected\n\
             single: initialize: rank=0 size=1 name=single: success\n\
             Info { rank: 0, size: 1, name: \"single\" }",
        );
        check(
            &["config"],
            true,
            "flux-pmi-client: trying 'config'\nconfig: selected\nconfig",
        );
    }

    #[test]
    fn what_is_not_there_is_named() {
        check(&["foo"], false, "plugin matching 'foo' not found");
        check(
            &["simple"],
            false,
            "flux-pmi-client: trying 'simple'\n\
             simple: PMI_FD not found in environ\n\
             PMI_FD not found in environ",
        );
        check(
            &["libpmi:/nowhere/libpmi.so"],
            false,
            "flux-pmi-client: trying 'libpmi'\n\
             libpmi: /nowhere/libpmi.so: dlopen failed\n\
             /nowhere/libpmi.so: dlopen failed",
        );
    }

    #[test]
    fn libraries_are_tried_where_a_launcher_is() {
        assert!(is_of_launcher("SLURM_PROCID") && is_of_launcher("PMI_RANK"));
        assert!(!is_of_launcher("PATH") && !is_of_launcher("FLUX_PMI_DEBUG"));
        check(
            &[],
            false,
            "flux-pmi-client: trying 'config'\n\
             config: bootstrap configuration not found\n\
             flux-pmi-client: trying 'simple'\n\
             simple: PMI_FD not found in environ\n\
             flux-pmi-client: trying 'libpmi2'\n\
             libpmi2: no launcher found in environ\n\
             flux-pmi-client: trying 'libpmi'\n\
             libpmi: no launcher found in environ\n\
             flux-pmi-client: trying 'single'\n\
             single: selected\n\
             single: initialize: rank=0 size=1 name=single: success\n\
             Info { rank: 0, size: 1, name: \"single\" }",
        );
    }

    #[test]
    fn one_that_is_alone_finds_what_it_put() {
        let options = Options {
            methods: vec!["single".to_owned()],
            ..Options::default()
        };
        let Ok(Begun::Client(mut client)) = begin(options) else {
            panic!("single is always there");
        };
        client.put("a", "b c").unwrap();
        client.barrier().unwrap();
        assert_eq!(client.get("a").unwrap(), "b c");
        let error = client.get("nope").unwrap_err();
        assert_eq!(error.to_string(), "invalid key argument");
    }

    #[test]
    fn the_way_that_is_asked_for_comes_first() {
        let env = |value: &str| {
            let pair = ("FLUX_PMI_CLIENT_METHODS".to_owned(), value.to_owned());
            BTreeMap::from([pair])
        };
        assert_eq!(methods(Some("libpmi:/x"), &env("simple")), ["libpmi:/x"]);
        assert_eq!(methods(None, &env(" simple  single")), ["simple", "single"]);
        assert!(methods(None, &BTreeMap::new()).is_empty());
    }
}
