//! Parts that many jobs have in common, each kept once.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::PARTS_SWEEP_MIN;

/// Some bytes that may be shared.
pub type Part = Rc<[u8]>;

/// The shared parts.
#[derive(Debug, Default)]
pub struct Parts {
    parts: FxHashSet<Part>,
    sweep_at: usize,
}

impl Parts {
    /// The one copy of `bytes`.
    pub fn get(&mut self, bytes: &[u8]) -> Part {
        if let Some(part) = self.parts.get(bytes) {
            return Rc::clone(part);
        }
        if self.parts.len() >= self.sweep_at.max(PARTS_SWEEP_MIN) {
            self.parts.retain(|part| Rc::strong_count(part) > 1);
            self.sweep_at = 2 * self.parts.len();
        }
        let part: Part = bytes.into();
        self.parts.insert(Rc::clone(&part));
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_are_one() {
        let mut parts = Parts::default();
        let (a, b) = (parts.get(b"true"), parts.get(b"true"));
        assert!(Rc::ptr_eq(&a, &b));
    }

    #[test]
    fn unused_parts_go() {
        let mut parts = Parts::default();
        let kept = parts.get(b"kept");
        for n in 0..=PARTS_SWEEP_MIN {
            parts.get(&n.to_le_bytes());
        }
        assert!(parts.parts.len() < 10);
        assert!(Rc::ptr_eq(&kept, &parts.get(b"kept")));
    }
}
