//! Sets of resources (RFC 20). Sets of ranks and of hosts pass as texts.

use proto::data::{Constraint, IdSet, Rset, constraint::Universe};
use pyo3::prelude::*;

use super::malformed;

/// A set of resources. `flux.resource.ResourceSet` has one.
#[pyclass(module = "flux._core", name = "Rset")]
#[derive(Clone, Default)]
pub struct PyRset {
    set: Rset,
}

#[pymethods]
impl PyRset {
    /// The set that JSON describes; without it the empty one.
    #[new]
    #[pyo3(signature = (json=None))]
    fn new(json: Option<&str>) -> PyResult<Self> {
        let set = json.map_or_else(|| Ok(Rset::new()), Rset::decode);
        set.map(|set| Self { set }).map_err(malformed)
    }

    /// The set as JSON.
    fn encode(&self) -> String {
        self.set.encode()
    }

    /// The short text of listings: `rank[0-1]/core[0-3]`.
    fn dumps(&self) -> String {
        self.set.to_string()
    }

    fn copy(&self) -> Self {
        self.clone()
    }

    fn nodelist(&self) -> String {
        self.set.nodelist().to_string()
    }

    fn ranks(&self) -> String {
        self.set.ranks().to_string()
    }

    fn nnodes(&self) -> usize {
        self.set.nnodes()
    }

    fn ncores(&self) -> u64 {
        self.set.ncores()
    }

    fn ngpus(&self) -> u64 {
        self.set.ngpus()
    }

    /// The host of a rank, or None.
    fn host(&self, rank: u32) -> Option<String> {
        self.set.host(rank).map(str::to_owned)
    }

    fn starttime(&self) -> f64 {
        self.set.starttime().unwrap_or_default()
    }

    fn expiration(&self) -> f64 {
        self.set.expiration()
    }

    fn set_times(&mut self, starttime: f64, expiration: f64) -> PyResult<()> {
        let set = self.set.set_times(starttime, expiration);
        set.map_err(malformed)
    }

    /// Names of properties and the ranks that have each.
    fn properties(&self) -> Vec<(String, String)> {
        let properties = self.set.properties();
        properties
            .map(|(name, ranks)| (name.to_owned(), ranks.to_string()))
            .collect()
    }

    /// Gives ranks a property, besides those that have it.
    fn add_property(&mut self, name: &str, ranks: &str) -> PyResult<()> {
        let ranks = idset(ranks)?;
        self.set.add_property(name, &ranks).map_err(malformed)
    }

    /// Adds the resources of another set.
    fn add(&mut self, other: PyRef<'_, PyRset>) -> PyResult<()> {
        self.set.add(&other.set).map_err(malformed)
    }

    /// Takes out the resources of another set.
    fn subtract(&mut self, other: PyRef<'_, PyRset>) {
        self.set.subtract(&other.set);
    }

    /// Takes out the resources that are not in another set.
    fn intersect(&mut self, other: PyRef<'_, PyRset>) {
        self.set.intersect(&other.set);
    }

    fn keep_ranks(&mut self, ranks: &str) -> PyResult<()> {
        self.set.keep_ranks(&idset(ranks)?);
        Ok(())
    }

    fn remove_ranks(&mut self, ranks: &str) -> PyResult<()> {
        self.set.remove_ranks(&idset(ranks)?);
        Ok(())
    }

    /// The ranks for which a constraint (RFC 31), given as JSON, holds.
    fn matching(&self, constraint: &str) -> PyResult<String> {
        let value = serde_json::from_str(constraint).map_err(malformed)?;
        let constraint = Constraint::parse(&value).map_err(malformed)?;
        let mut hosts = std::collections::HashMap::<&str, IdSet>::new();
        for (rank, node) in self.set.nodes() {
            hosts.entry(&node.host).or_default().insert(rank);
        }
        let ranks = Ranks {
            all: self.set.ranks(),
            hosts,
            set: &self.set,
        };
        Ok(constraint.ranks(&ranks).to_string())
    }
}

fn idset(text: &str) -> PyResult<IdSet> {
    text.parse().map_err(malformed)
}

/// The ranks that a constraint chooses from.
struct Ranks<'s> {
    all: IdSet,
    hosts: std::collections::HashMap<&'s str, IdSet>,
    set: &'s Rset,
}

impl Universe for Ranks<'_> {
    fn all(&self) -> &IdSet {
        &self.all
    }

    fn on_host(&self, host: &str) -> Option<&IdSet> {
        self.hosts.get(host)
    }

    fn with_property(&self, name: &str) -> Option<&IdSet> {
        self.set.property(name)
    }
}
