//! The jobs that are to be submitted, each made when its turn comes.

use command::env::Env;
use command::error::CliError;
use command::streams::{LogFiles, Streams};
use submission::Request;

use super::many::{Copies, Template};

/// A job that is ready.
pub struct Planned {
    /// Request to send.
    pub request: Request,
    /// Files for messages about it.
    pub streams: Streams,
    /// Label of the copy in front of errors.
    pub label: Option<String>,
}

/// Every copy of every template.
pub struct Plan<I> {
    templates: I,
    current: Option<Current>,
    env: Env,
    files: LogFiles,
}

/// A template of which there are copies left.
struct Current {
    template: Template,
    copies: Copies,
    next: u64,
}

impl<I: Iterator<Item = Result<Template, CliError>>> Plan<I> {
    /// Of these templates.
    pub fn new(env: Env, templates: I) -> Plan<I> {
        Plan {
            templates,
            current: None,
            env,
            files: LogFiles::default(),
        }
    }

    fn ready(&mut self, template: &Template, label: Option<String>) -> Result<Planned, CliError> {
        let many = &template.many;
        let (out, err) = (many.log.as_deref(), many.log_stderr.as_deref());
        Ok(Planned {
            request: template.options.request(&self.env)?,
            streams: self.files.streams(out, err)?,
            label,
        })
    }

    /// The next copy of a template, if there is one.
    fn copy(&mut self, current: &Current) -> Option<Result<Planned, CliError>> {
        match &current.copies {
            Copies::One if current.next == 0 => Some(self.ready(&current.template, None)),
            Copies::One => None,
            Copies::Each(ids, which) => {
                let id = ids.nth(current.next)?;
                let copy = current.template.copy(id, *which);
                Some(copy.and_then(|copy| self.ready(&copy, Some(format!("cc={id}")))))
            }
        }
    }
}

impl<I: Iterator<Item = Result<Template, CliError>>> Iterator for Plan<I> {
    type Item = Result<Planned, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(mut current) = self.current.take()
                && let Some(planned) = self.copy(&current)
            {
                current.next += 1;
                self.current = Some(current);
                return Some(planned);
            }
            let template = self.templates.next()?;
            let current = template.and_then(|template| {
                Ok(Current {
                    copies: template.copies()?,
                    template,
                    next: 0,
                })
            });
            match current {
                Ok(current) => self.current = Some(current),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
