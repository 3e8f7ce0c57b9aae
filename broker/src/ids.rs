//! Identities for clients and modules. Those of a real broker come from the system and
//! cannot be guessed; those of a simulated one follow from a seed, so that the same seed
//! gives the same run.

/// A source of UUIDs.
#[derive(Debug, Clone)]
pub struct Ids {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    /// Any message is sent to all that follow it.
    Seed(fastrand::Rng),
    /// Random bits of the system.
    System(fn() -> u64),
}

impl Ids {
    /// Identities that follow from `seed`: for tests only.
    pub fn from_seed(seed: u64) -> Ids {
        let source = Source::Seed(fastrand::Rng::with_seed(seed));
        Ids { source }
    }

    /// Identities made of the words that `random` gives.
    pub fn from_system(random: fn() -> u64) -> Ids {
        let source = Source::System(random);
        Ids { source }
    }

    /// The next identity, in the form of a random UUID.
    pub fn next_uuid(&mut self) -> String {
        let (a, b) = (self.next_word(), self.next_word());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff,
        )
    }

    /// Start of a range of numbers that no other run of the broker uses.
    pub fn next_row(&mut self) -> u64 {
        self.next_word() & !u64::from(u32::MAX)
    }

    fn next_word(&mut self) -> u64 {
        match &mut self.source {
            Source::Seed(rng) => rng.u64(..),
            Source::System(random) => random(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn one_seed_gives_one_row_of_distinct_uuids() {
        let (mut one, mut other) = (Ids::from_seed(7), Ids::from_seed(7));
        let row: Vec<String> = (0..100).map(|_| one.next_uuid()).collect();
        assert!(
            row.iter()
                .all(|uuid| *uuid == other.next_uuid() && uuid.len() == 36)
        );
        let distinct: std::collections::BTreeSet<_> = row.iter().collect();
        assert_eq!(distinct.len(), 100);
    }

    #[test]
    fn a_real_broker_s_uuids_are_the_words_of_the_system() {
        let uuid = Ids::from_system(|| u64::MAX).next_uuid();
        assert_eq!(uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
