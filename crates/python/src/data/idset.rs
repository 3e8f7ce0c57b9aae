//! Sets of ids (RFC 22), as ranges.

use proto::data::{IdSet, IdSetStyle};
use pyo3::prelude::*;

use super::malformed;

/// The flags of an encoding: idset_create(3).
const FLAG_BRACKETS: u32 = 2;
const FLAG_RANGE: u32 = 4;

/// A set of ids. `flux.idset.IDset` is made of it.
#[pyclass(subclass, module = "flux._core", name = "IdSet")]
#[derive(Default)]
pub struct PyIdSet {
    ids: IdSet,
}

#[pymethods]
impl PyIdSet {
    /// The empty set. Arguments are those of a subclass.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyAny>, _kwargs: Option<&Bound<'_, PyAny>>) -> Self {
        Self::default()
    }

    /// Adds the ids that a text lists.
    fn add_text(&mut self, text: &str) -> PyResult<()> {
        let ids: IdSet = text.parse().map_err(malformed)?;
        self.ids.add(&ids);
        Ok(())
    }

    /// Adds the ids from `first` to `last`.
    fn add_range(&mut self, first: u32, last: u32) {
        self.ids.insert_range(first, last);
    }

    /// Takes out the ids from `first` to `last`.
    fn remove_range(&mut self, first: u32, last: u32) {
        self.ids.remove_range(first, last);
    }

    /// Adds the ids of another set.
    fn add_set(&mut self, other: PyRef<'_, PyIdSet>) {
        self.ids.add(&other.ids);
    }

    /// Takes out the ids of another set.
    fn subtract_set(&mut self, other: PyRef<'_, PyIdSet>) {
        self.ids.subtract(&other.ids);
    }

    /// Takes out the ids that are not in another set.
    fn keep_set(&mut self, other: PyRef<'_, PyIdSet>) {
        self.ids = self.ids.intersection(&other.ids);
    }

    fn contains(&self, id: u32) -> bool {
        self.ids.contains(id)
    }

    fn count(&self) -> u64 {
        self.ids.count()
    }

    /// The lowest id, or None.
    fn lowest(&self) -> Option<u32> {
        self.ids.first()
    }

    /// The highest id, or None.
    fn highest(&self) -> Option<u32> {
        self.ids.last()
    }

    /// The lowest id above `id`, or None.
    fn above(&self, id: u32) -> Option<u32> {
        self.ids.nth(self.ids.position(id.checked_add(1)?))
    }

    /// The id at an index, counted from 0, or None.
    fn nth(&self, index: u64) -> Option<u32> {
        self.ids.nth(index)
    }

    /// All ids, in order.
    fn list(&self) -> Vec<u32> {
        self.ids.iter().collect()
    }

    fn equals(&self, other: PyRef<'_, PyIdSet>) -> bool {
        self.ids == other.ids
    }

    fn overlaps(&self, other: PyRef<'_, PyIdSet>) -> bool {
        self.ids.intersects(&other.ids)
    }

    /// The set as text.
    fn text(&self, flags: u32) -> PyResult<String> {
        let style = match (flags & FLAG_RANGE != 0, flags & FLAG_BRACKETS != 0) {
            (true, false) => IdSetStyle::Ranges,
            (true, true) => IdSetStyle::RangesInBrackets,
            (false, false) => IdSetStyle::Listed,
            (false, true) => IdSetStyle::ListedInBrackets,
        };
        self.ids.encode(style).map_err(malformed)
    }
}
