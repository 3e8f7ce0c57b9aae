//! The one request of a kind that is out.

/// It, if there is one.
pub(super) struct Out<T>(Option<Sent<T>>);

struct Sent<T> {
    token: u64,
    until: f64,
    about: Vec<T>,
}

/// Time by which a timer may be early.
const EARLY_S: f64 = 0.001;

/// True if a time has come.
pub(super) fn is_due(at: f64, now: f64) -> bool {
    at <= now + EARLY_S
}

impl<T> Default for Out<T> {
    fn default() -> Self {
        Out(None)
    }
}

impl<T> Out<T> {
    /// Takes note of a request, and of when its answer comes too late.
    pub fn send(&mut self, token: u64, until: f64, about: Vec<T>) {
        self.0 = Some(Sent {
            token,
            until,
            about,
        });
    }

    /// Takes the subjects of a request that was answered or given up.
    pub fn take(&mut self) -> Vec<T> {
        self.0.take().map(|sent| sent.about).unwrap_or_default()
    }

    /// Subjects of the request.
    pub fn about(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |sent| &sent.about)
    }

    /// Number.
    pub fn token(&self) -> Option<u64> {
        self.0.as_ref().map(|sent| sent.token)
    }

    /// Time after which its answer is too late.
    pub fn until(&self) -> Option<f64> {
        self.0.as_ref().map(|sent| sent.until)
    }

    /// Number, if its answer comes too late.
    pub fn late(&self, now: f64) -> Option<u64> {
        self.token()
            .filter(|_| self.until().is_some_and(|at| is_due(at, now)))
    }
}
