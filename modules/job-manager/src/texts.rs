//! The texts of an active job: its log and its jobspec. Of all that is known of a job they
//! are the most, and while it waits nobody reads them: then they are packed, as [`crate::row`]
//! packs records.

use std::borrow::Cow;
use std::rc::Rc;

use bytes::Bytes;
use proto::RawJson;

use crate::row;

/// A log and a jobspec.
#[derive(Debug)]
pub struct Texts(Form);

#[derive(Debug)]
enum Form {
    Plain {
        /// Each line with its newline.
        log: String,
        jobspec: Rc<RawJson>,
    },
    Packed {
        packed: Box<[u8]>,
        /// Bytes of the log, which comes first.
        log_bytes: u32,
        /// Bytes of both.
        bytes: u32,
    },
}

impl Texts {
    /// These texts as they are.
    pub fn new(log: String, jobspec: Rc<RawJson>) -> Texts {
        Texts(Form::Plain { log, jobspec })
    }

    /// The log.
    pub fn log(&self) -> Cow<'_, str> {
        match &self.0 {
            Form::Plain { log, .. } => Cow::Borrowed(log),
            Form::Packed { .. } => Cow::Owned(self.unpack().0),
        }
    }

    /// Bytes of the log.
    pub fn log_bytes(&self) -> usize {
        match &self.0 {
            Form::Plain { log, .. } => log.len(),
            Form::Packed { log_bytes, .. } => *log_bytes as usize,
        }
    }

    /// The jobspec.
    pub fn jobspec(&self) -> Rc<RawJson> {
        match &self.0 {
            Form::Plain { jobspec, .. } => Rc::clone(jobspec),
            Form::Packed { .. } => self.unpack().1,
        }
    }

    /// Adds a line to the log.
    pub fn push_line(&mut self, line: &str) {
        let (mut log, jobspec) = self.take();
        log.push_str(line);
        *self = Texts::new(log, jobspec);
    }

    /// Gives the job another jobspec.
    pub fn set_jobspec(&mut self, jobspec: RawJson) {
        let (log, _) = self.take();
        *self = Texts::new(log, Rc::new(jobspec));
    }

    /// True if they are packed.
    pub fn is_packed(&self) -> bool {
        matches!(self.0, Form::Packed { .. })
    }

    /// Packs them, unless they are too long for it.
    pub fn pack(&mut self) {
        let Form::Plain { log, jobspec } = &self.0 else {
            return;
        };
        let jobspec = jobspec.as_str();
        let both = [log.as_bytes(), jobspec.as_bytes()].concat();
        if let (Ok(log_bytes), Ok(bytes)) = (log.len().try_into(), both.len().try_into()) {
            self.0 = Form::Packed {
                packed: row::pack(&both).to_vec().into(),
                log_bytes,
                bytes,
            };
        }
    }

    fn take(&mut self) -> (String, Rc<RawJson>) {
        match &mut self.0 {
            Form::Plain { log, jobspec } => (std::mem::take(log), Rc::clone(jobspec)),
            Form::Packed { .. } => self.unpack(),
        }
    }

    fn unpack(&self) -> (String, Rc<RawJson>) {
        let Form::Packed {
            packed,
            log_bytes,
            bytes,
        } = &self.0
        else {
            return Default::default();
        };
        let texts = row::unpack(packed, *bytes).and_then(|both| parts(&both, *log_bytes as usize));
        texts.unwrap_or_else(|| {
            tracing::error!("the texts of a job cannot be unpacked");
            Default::default()
        })
    }
}

fn parts(both: &Bytes, log_bytes: usize) -> Option<(String, Rc<RawJson>)> {
    let (log, jobspec) = std::str::from_utf8(both)
        .ok()?
        .split_at_checked(log_bytes)?;
    Some((log.to_owned(), Rc::new(RawJson::new(jobspec).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_texts_read_as_before() {
        let check = |log: &str, jobspec: &str| {
            let mut texts = Texts::new(log.to_owned(), Rc::new(RawJson::new(jobspec).unwrap()));
            for packs in [false, true, true] {
                if packs {
                    texts.pack();
                }
                assert_eq!(texts.is_packed(), packs);
                assert_eq!(texts.log(), log);
                assert_eq!(texts.log_bytes(), log.len());
                assert_eq!(texts.jobspec().as_str(), jobspec);
            }
            texts.push_line("more\n");
            assert!(!texts.is_packed());
            assert_eq!(texts.log(), format!("{log}more\n"));
            assert_eq!(texts.jobspec().as_str(), jobspec);
        };
        check("", "{}");
        check("{\"name\":\"submit\"}\n", r#"{"a":"ü\n"}"#);
        check(
            &"line\n".repeat(100_000),
            &format!("[{}1]", "1,".repeat(1000)),
        );
    }

    #[test]
    fn an_ordinary_job_that_waits_takes_little() {
        let log = r#"{"timestamp":1763833055.5266078,"name":"submit","context":{"userid":1000,"urgency":16,"flags":0,"version":1}}
{"timestamp":1763833055.5866078,"name":"dependency-add","context":{"description":"after-finish=ƒ2oLkTLb"}}
{"timestamp":1763833055.5866087,"name":"validate"}
"#;
        let jobspec = r#"{"resources":[{"type":"slot","count":1,"with":[{"type":"core","count":1}],"label":"task"}],"tasks":[{"command":["hostname","-f"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0,"cwd":"/home/someone/project","shell":{"options":{"rlimit":{"cpu":-1,"fsize":-1,"data":-1,"stack":8388608,"core":0,"nofile":1048576,"as":-1,"rss":-1,"nproc":-1}}},"dependencies":[{"scheme":"afterany","value":"ƒ2oLkTLb"}]}},"version":1}"#;
        let mut texts = Texts::new(log.to_owned(), Rc::new(RawJson::new(jobspec).unwrap()));
        texts.pack();
        let Form::Packed { packed, bytes, .. } = &texts.0 else {
            panic!("packed");
        };
        assert!(packed.len() < 320, "{} of {bytes} bytes", packed.len());
    }
}
