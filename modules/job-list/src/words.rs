//! Texts that many jobs have in common, each kept once.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::limits::WORDS_SWEEP_MIN;

/// A text that may be shared.
pub type Word = Rc<str>;

/// The shared texts.
#[derive(Debug, Default)]
pub struct Words {
    words: BTreeSet<Word>,
    sweep_at: usize,
}

impl Words {
    /// The one copy of `text`.
    pub fn get(&mut self, text: &str) -> Word {
        if let Some(word) = self.words.get(text) {
            return Rc::clone(word);
        }
        if self.words.len() >= self.sweep_at.max(WORDS_SWEEP_MIN) {
            self.words.retain(|word| Rc::strong_count(word) > 1);
            self.sweep_at = 2 * self.words.len();
        }
        let word: Word = text.into();
        self.words.insert(Rc::clone(&word));
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let mut words = Words::default();
        let (a, b) = (words.get("true"), words.get("true"));
        assert!(Rc::ptr_eq(&a, &b));
    }

    #[test]
    fn unused_texts_go() {
        let mut words = Words::default();
        let kept = words.get("kept");
        for n in 0..=WORDS_SWEEP_MIN {
            words.get(&n.to_string());
        }
        assert!(words.words.len() < 10);
        assert!(Rc::ptr_eq(&kept, &words.get("kept")));
    }
}
