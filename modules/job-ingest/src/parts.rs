//! Cut points of a signed jobspec (J), so that parts it shares with others are stored
//! once.
//!
//! Nearly all of J is the submitter's environment, and the jobs that a user submits in a row differ
//! in a few bytes. The content store has equal blobs once. So J is stored as a head and a tail that
//! others have too, and its own part between them. Where these end is learnt from the texts alone:
//! two that have much in common make a *model*, and a text that begins and ends like a model is cut
//! like it. J is base64: the same tail is written in one of three ways, depending on the length of
//! the text before it. This results in up to three models.
//!
//! All of this saves space and does nothing else; a restart learns it again.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::limits::{CUT_BYTES_MIN, MODELS_MAX, OWN_BYTES_MIN, SEEN_MAX, SIMILAR_BYTES_MAX};

/// Texts are compared in pieces of this size.
const PIECE_BYTES: usize = 64;

/// Models of the jobs so far, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    models: VecDeque<Model>,
    /// Texts that had too little in common with others.
    seen: VecDeque<Rc<str>>,
}

/// A text, and how those like it are cut.
#[derive(Debug, Clone)]
struct Model {
    text: Rc<str>,
    /// Bytes at its beginning that another has too.
    head: usize,
    /// Bytes at its end.
    tail: usize,
}

impl Model {
    /// Model of the text common to `text` and `j`.
    fn of(text: &Rc<str>, j: &str) -> Model {
        let same = |(one, other): &(&[u8], &[u8])| one == other;
        let (one, other) = (text.as_bytes(), j.as_bytes());
        let forwards = one
            .chunks_exact(PIECE_BYTES)
            .zip(other.chunks_exact(PIECE_BYTES));
        let head = forwards.take_while(same).count() * PIECE_BYTES;
        let (one, other) = (&one[head..], &other[head..]);
        let backwards = one
            .rchunks_exact(PIECE_BYTES)
            .zip(other.rchunks_exact(PIECE_BYTES));
        Model {
            text: text.clone(),
            head,
            tail: backwards.take_while(same).count() * PIECE_BYTES,
        }
    }

    /// Bytes that are not a text's own.
    fn shared(&self) -> usize {
        self.head + self.tail
    }

    /// True if `j` can be cut in the same way.
    fn fits(&self, j: &str) -> bool {
        let text = self.text.as_bytes();
        self.shared() <= j.len()
            && j.as_bytes().starts_with(&text[..self.head])
            && j.as_bytes().ends_with(&text[text.len() - self.tail..])
    }

    fn cuts(&self, j: &str) -> Vec<u32> {
        let mut cuts = vec![self.head, j.len() - self.tail];
        cuts.dedup();
        cuts.retain(|cut| (1..j.len()).contains(cut));
        cuts.into_iter().map(|cut| cut as u32).collect()
    }
}

impl Parts {
    /// The offsets at which `j` is cut; none if it is to be stored in one piece.
    pub fn cuts(&mut self, j: &str) -> Vec<u32> {
        if !(CUT_BYTES_MIN..=SIMILAR_BYTES_MAX).contains(&j.len()) {
            return Vec::new();
        }
        let fitting = self.fitting(j);
        let own = j.len() - fitting.map_or(0, |at| self.models[at].shared());
        let learnt = if own >= OWN_BYTES_MIN {
            self.learn(j, own)
        } else {
            None
        };
        let Some(model) = learnt.or_else(|| self.models.remove(fitting?)) else {
            return Vec::new();
        };
        let cuts = model.cuts(j);
        self.models.push_front(model);
        self.models.truncate(MODELS_MAX);
        cuts
    }

    /// Index of the model that leaves the least of `j`.
    fn fitting(&self, j: &str) -> Option<usize> {
        let models = self.models.iter().enumerate();
        let fitting = models.filter(|(_, model)| model.fits(j));
        let best = fitting.max_by_key(|(_, model)| model.shared())?;
        Some(best.0)
    }

    /// A model that leaves at most half of the `own` bytes that the best one so far leaves of
    /// `j`. If there is none, `j` is remembered for those that come.
    fn learn(&mut self, j: &str, own: usize) -> Option<Model> {
        let modelled = self.models.iter().map(|model| &model.text);
        let candidates = modelled.chain(&self.seen).map(|text| Model::of(text, j));
        let best = candidates.max_by_key(Model::shared);
        if let Some(model) = best
            && 2 * (j.len() - model.shared()) <= own
        {
            return Some(model);
        }
        self.seen.push_front(j.into());
        self.seen.truncate(SEEN_MAX);
        None
    }
}

#[cfg(test)]
mod tests {
    use proto::data::sign::wrap_none;

    use super::*;

    /// A text that is like no other of another seed.
    fn noise(seed: usize, len: usize) -> String {
        let digit =
            |at: usize| char::from(b'a' + (at * at / 7 + at * seed + seed * seed) as u8 % 26);
        (0..len).map(digit).collect()
    }

    /// A signed jobspec: the text before the job's own part, that part, and the text after
    /// it.
    fn signed(before: &str, own: &str, after: &str) -> String {
        wrap_none(100, format!("{before}{own}{after}").as_bytes())
    }

    /// The bytes stored when these texts come one after the other, equal parts once; and of
    /// each whether it was cut.
    fn check(texts: &[String], expect: &[bool]) -> usize {
        let mut parts = Parts::default();
        let mut stored = std::collections::BTreeSet::new();
        let mut were_cut = Vec::new();
        for j in texts {
            let cuts = parts.cuts(j);
            were_cut.push(!cuts.is_empty());
            assert!(cuts.is_sorted_by(|one, next| one < next), "{cuts:?}");
            let ends = cuts.into_iter().map(|cut| cut as usize).chain([j.len()]);
            let mut begin = 0;
            for end in ends {
                assert!(begin < end, "no part is empty");
                stored.insert(&j[begin..end]);
                begin = end;
            }
        }
        assert_eq!(were_cut, expect);
        assert!(parts.models.len() <= MODELS_MAX && parts.seen.len() <= SEEN_MAX);
        stored.iter().map(|part| part.len()).sum()
    }

    #[test]
    fn what_is_like_one_before_is_cut() {
        let (before, after) = (noise(1, 1500), noise(2, 1500));
        let one = signed(&before, "1", &after);
        let series = |own: &[&str]| -> Vec<String> {
            own.iter().map(|own| signed(&before, own, &after)).collect()
        };
        let stored = check(&series(&["1", "2", "3", "4"]), &[false, true, true, true]);
        assert!(stored < 2 * one.len() + 3 * 200, "{stored}");
        // Three models, for the three ways in which base64 writes the same tail.
        let many: Vec<String> = (1..=400).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut expect = [true; 400];
        expect[0] = false;
        let stored = check(&series(&many), &expect);
        assert!(stored < 5 * one.len() + 400 * 200, "{stored}");
    }

    #[test]
    fn a_script_of_its_own_leaves_the_environment_to_be_shared() {
        let environment = noise(1, 3000);
        let jobs: Vec<String> = (0..20)
            .map(|n| signed("", &noise(n + 10, 500 + n), &environment))
            .chain((0..20).map(|n| signed(&environment, &noise(n + 50, 500 + n), "")))
            .collect();
        let whole: usize = jobs.iter().map(String::len).sum();
        let mut expect = [true; 40];
        (expect[0], expect[1], expect[2], expect[20]) = (false, false, false, false);
        let stored = check(&jobs, &expect);
        assert!(stored < whole / 2, "{stored} of {whole}");
    }

    #[test]
    fn what_is_unlike_all_others_or_short_or_long_stays_whole() {
        let unlike: Vec<String> = (0..50).map(|n| signed("", &noise(n, 3000), "")).collect();
        check(&unlike, &[false; 50]);
        let short = signed("", &noise(1, CUT_BYTES_MIN / 2), "");
        check(&[short.clone(), short], &[false; 2]);
        let long = signed("", &noise(1, SIMILAR_BYTES_MAX), "");
        check(&[long.clone(), long], &[false; 2]);
    }

    #[test]
    fn users_who_take_turns_do_not_disturb_each_other() {
        let users: Vec<String> = (0..SEEN_MAX).map(|user| noise(user + 1, 3000)).collect();
        let round = |n: usize| {
            users
                .iter()
                .map(move |user| signed(user, &n.to_string(), ""))
        };
        let jobs: Vec<String> = (0..5).flat_map(round).collect();
        let mut expect = [true; 5 * SEEN_MAX];
        expect[..SEEN_MAX].fill(false);
        check(&jobs, &expect);
    }

    #[test]
    fn a_text_that_comes_again_is_stored_once() {
        let j = signed("", &noise(1, 3000), "");
        let jobs = vec![j.clone(), j.clone(), j.clone()];
        let stored = check(&jobs, &[false, true, true]);
        assert!(stored <= 2 * j.len(), "{stored}");
    }
}
