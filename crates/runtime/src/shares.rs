//! Division of a resource that all clients use: memory and connections.

/// Class of a client, by which its share is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The broker itself and its modules.
    Own,
    /// A program of the owner of the instance.
    Owner,
    /// A program of another user.
    Guest,
}

/// Holder of more than its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// One user.
    User(u32),
    /// All users that are not the owner.
    Guests,
    /// All clients.
    All,
}

/// The parts of a whole: guests together get a half of it and one guest a quarter, so that
/// the owner has room when guests have filled theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    all: usize,
}

impl Shares {
    /// The shares of a whole of `all`.
    pub const fn of(all: usize) -> Shares {
        Shares { all }
    }

    /// Share of `whose`.
    pub const fn limit(self, whose: Whose) -> usize {
        match whose {
            Whose::User(_) => self.all / 4,
            Whose::Guests => self.all / 2,
            Whose::All => self.all,
        }
    }
}
