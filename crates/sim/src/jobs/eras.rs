//! Values that may have been in force at a time: the author of a change knows only the times
//! of its request and its answer.

/// Events of one moment have times that differ by less than this, to keep their order.
pub(super) const MOMENT: f64 = 1e-6;

/// Values of one setting, each with the time in which it may have been in force.
#[derive(Debug, Clone)]
pub(super) struct Eras<T>(Vec<Era<T>>);

#[derive(Debug, Clone)]
struct Era<T> {
    value: T,
    from: f64,
    /// `None` as long as nothing else is known to be in force.
    to: Option<f64>,
}

impl<T> Eras<T> {
    /// A setting that has been in force for ever.
    pub fn new(value: T) -> Eras<T> {
        let (from, to) = (0.0, None);
        Eras(vec![Era { value, from, to }])
    }

    /// Another value was asked for.
    pub fn asked(&mut self, value: T, now: f64) {
        let (from, to) = (now, None);
        self.0.push(Era { value, from, to });
    }

    /// The value that was asked for last is in force.
    pub fn known(&mut self, now: f64) {
        if let Some((_, before)) = self.0.split_last_mut() {
            for era in before {
                era.to.get_or_insert(now);
            }
        }
    }

    /// The value that was asked for last.
    pub fn last(&self) -> Option<&T> {
        self.0.last().map(|era| &era.value)
    }

    /// Values that may have been in force between two times.
    pub fn possible(&self, from: f64, to: f64) -> impl Iterator<Item = &T> {
        let eras = self.0.iter();
        let eras = eras.filter(move |era| {
            let is_begun = era.from <= to + MOMENT;
            is_begun && era.to.is_none_or(|end| end >= from - MOMENT)
        });
        eras.map(|era| &era.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_may_be_in_force_until_something_else_is_known_to_be() {
        let mut eras = Eras::new(1);
        eras.asked(2, 10.0);
        eras.asked(3, 20.0);
        let check = |eras: &Eras<i32>, from: f64, to: f64, expect: &[i32]| {
            let possible: Vec<i32> = eras.possible(from, to).copied().collect();
            assert_eq!(possible, expect, "{from} {to}");
        };
        check(&eras, 0.0, 9.0, &[1]);
        check(&eras, 15.0, 15.0, &[1, 2]);
        check(&eras, 30.0, 30.0, &[1, 2, 3]);
        eras.known(25.0);
        check(&eras, 22.0, 22.0, &[1, 2, 3]);
        check(&eras, 30.0, 30.0, &[3]);
    }
}
