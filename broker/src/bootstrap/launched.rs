//! The way of a launcher: brokers exchange their addresses and public keys by PMI
//! (protocol/20 section 11).

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use broker::Links;
use broker::membership::{self, Member};
use keys::{Certificate, KeyPair};
use pmi::Client;
use proto::attr::names;
use proto::data::topology::Scheme;
use proto::data::{Hostlist, TaskMap, Topology};
use runtime::Overlay;

use super::card::Card;
use super::{Begun, Inputs, Met, Way, address, overlay};

/// Variable of a launcher that starts brokers again on demand.
const START_URI: &str = "FLUX_START_URI";

/// Answers of the launcher, and the connection to it.
pub struct Launch {
    size: u32,
    map: Option<TaskMap>,
    client: Client,
    /// The launcher is the instance that ours is a job of.
    is_job: bool,
}

/// Finds our place from the answers of the launcher.
pub(super) fn begin(told: Inputs<'_>, mut client: Client) -> anyhow::Result<Begun> {
    let info = client.info().clone();
    let rank = info.rank;
    let scheme = membership::scheme(told.attrs, Scheme::default(), info.size)?;
    let topology = Topology::new(scheme, info.size);
    let tree = &topology;
    membership::settle(told.attrs, &Member { rank, tree, scheme })?;
    told.attrs.put(&names::BROKER_BOOT_METHOD, client.method());
    // Only a Flux instance says this: it is our parent then.
    let level = client.get("flux.instance-level").ok();
    if let Some(level) = &level {
        told.attrs.put(&names::INSTANCE_LEVEL, level.clone());
        if let Ok(hint) = client.get("flux.tbon-interface-hint")
            && told.attrs.value(&names::TBON_INTERFACE_HINT).is_none()
        {
            told.attrs.put(&names::TBON_INTERFACE_HINT, hint);
        }
    } else if client.method() != "single" {
        told.attrs.put(&names::INSTANCE_LEVEL, "0");
    }
    let map = mapping(&mut client, level.is_some(), info.size);
    if let Some(map) = &map {
        told.attrs.put(&names::BROKER_MAPPING, map.to_string());
    }
    let way = if info.size == 1 {
        client.finalize()?;
        Way::Alone
    } else {
        Way::Launched(Launch {
            size: info.size,
            map,
            client,
            is_job: level.is_some(),
        })
    };
    Ok(Begun {
        rank: info.rank,
        topology,
        way,
    })
}

/// Ranks that share a host, if the launcher knows.
fn mapping(client: &mut Client, is_under_flux: bool, size: u32) -> Option<TaskMap> {
    let own = is_under_flux.then(|| client.get("flux.taskmap").ok());
    let own = own.flatten().and_then(|text| text.parse().ok());
    let map = own.or_else(|| repeated(&client.get("PMI_process_mapping").ok()?, size));
    let map = map.filter(|map: &TaskMap| !map.is_unknown() && map.ntasks() == u64::from(size));
    map.or_else(|| match size {
        1 => TaskMap::block(&[1]).ok(),
        _ => None,
    })
}

/// A mapping of PMI, which is repeated until it is long enough: hydra says `(0,1,1)` for any
/// number of processes on one host.
fn repeated(text: &str, size: u32) -> Option<TaskMap> {
    let map: TaskMap = text.parse().ok()?;
    let times = u64::from(size).checked_div(map.ntasks())?;
    let blocks = map.blocks().iter().cycle();
    let blocks = blocks.take(map.blocks().len() * usize::try_from(times).ok()?);
    let map = TaskMap::from_blocks(blocks.copied().collect()).ok()?;
    // In its shortest form.
    TaskMap::from_nodes(&map.nodes()).ok()
}

/// An endpoint as others read it: an IPv4 address is not written as one of IPv6.
fn plain(endpoint: &str) -> String {
    match endpoint.split_once("[::ffff:") {
        Some((scheme, rest)) => format!("{scheme}{}", rest.replacen(']', "", 1)),
        None => endpoint.to_owned(),
    }
}

/// Brokers that exchange their cards.
struct Meeting {
    rank: u32,
    size: u32,
    map: Option<TaskMap>,
    client: Client,
    is_job: bool,
    links: Links,
}

impl Launch {
    /// Meets the others.
    pub(super) fn meet(
        self,
        told: Inputs<'_>,
        rank: u32,
        links: Links,
        rundir: &Path,
        uuid: &str,
    ) -> anyhow::Result<Met> {
        let mut meeting = Meeting {
            rank,
            size: self.size,
            map: self.map,
            client: self.client,
            is_job: self.is_job,
            links,
        };
        let overlay = meeting.hold(told, rundir, uuid)?;
        meeting
            .client
            .finalize()
            .context("saying goodbye to the launcher")?;
        Ok(Met {
            overlay: Some(overlay),
            links: meeting.links,
        })
    }
}

impl Meeting {
    fn hold(&mut self, told: Inputs<'_>, rundir: &Path, uuid: &str) -> anyhow::Result<Overlay> {
        // The variable may be that of the launcher of an instance further out.
        let is_kept = told.env.contains_key(START_URI) && !self.is_job;
        let pair = own_key(&rundir.join(format!("key-{}", self.rank)), is_kept)?;
        let mut overlay = overlay(told.attrs, &pair, true)?;
        let host = told
            .attrs
            .value(&names::HOSTNAME)
            .unwrap_or("localhost")
            .to_owned();
        let mut card = Card {
            host: host.clone(),
            uri: Vec::new(),
            pubkey: Some(pair.public().to_string()),
        };
        let children = self.links.topology.children(self.rank).to_vec();
        if !children.is_empty() {
            let wanted = self.endpoints(&told, &host, rundir)?;
            let bound = overlay.listen(&wanted)?;
            card.uri = bound.iter().map(|uri| plain(uri)).collect();
            told.attrs.put(&names::TBON_ENDPOINT, card.uri[0].clone());
        }
        let key = self.rank.to_string();
        let put = self.client.put(&key, &card.encode());
        put.with_context(|| format!("cannot put the card of rank {}", self.rank))?;
        self.client
            .barrier()
            .context("waiting for the cards of all brokers")?;
        for child in children {
            let card = self.card(child)?;
            let key = card.pubkey.ok_or_else(|| no_key(child))?;
            overlay.allow(&key);
            self.links.keys.insert(child, key);
        }
        if let Some(parent) = self.links.topology.parent(self.rank) {
            let uri = self.reach(&mut overlay, parent, uuid)?;
            told.attrs.put(&names::TBON_PARENT_ENDPOINT, uri);
        }
        if self.rank == 0 && told.attrs.value(&names::HOSTLIST).is_none() {
            let hosts = self.all_hosts(&card.host)?;
            told.attrs.put(&names::HOSTLIST, hosts);
        }
        self.client
            .barrier()
            .context("waiting until all brokers have met")?;
        Ok(overlay)
    }

    fn reach(&mut self, overlay: &mut Overlay, parent: u32, uuid: &str) -> anyhow::Result<String> {
        let card = self.card(parent)?;
        let key = card.pubkey.as_deref().ok_or_else(|| no_key(parent))?;
        let uri = card.endpoint(self.is_here(parent));
        let rank = self.rank;
        let nowhere = || anyhow!("rank {parent} has no address that rank {rank} can reach");
        let uri = uri.ok_or_else(nowhere)?.to_owned();
        overlay.reach_parent(&uri, key, uuid)?;
        self.links.parent_uri = Some(uri.clone());
        Ok(uri)
    }

    fn card(&mut self, rank: u32) -> anyhow::Result<Card> {
        let text = self.client.get_from(rank, &rank.to_string());
        Card::decode(
            rank,
            &text.with_context(|| format!("cannot get the card of rank {rank}"))?,
        )
    }

    /// The hosts of all ranks. Rank 0 alone asks for them, and passes them down.
    fn all_hosts(&mut self, own: &str) -> anyhow::Result<String> {
        let mut hosts = Hostlist::default();
        hosts.push(own)?;
        for rank in 1..self.size {
            hosts.push(&self.card(rank)?.host)?;
        }
        Ok(hosts.to_string())
    }

    /// True if a rank is on this host, as far as the launcher knows.
    fn is_here(&self, rank: u32) -> bool {
        let map = self.map.as_ref();
        map.is_some_and(|map| {
            map.node_of(rank).is_some() && map.node_of(rank) == map.node_of(self.rank)
        })
    }

    /// Where to listen: in the rundir for children on this host, on its address for others.
    fn endpoints(
        &self,
        told: &Inputs<'_>,
        host: &str,
        rundir: &Path,
    ) -> anyhow::Result<Vec<String>> {
        let wants_v6 = told.env.contains_key("FLUX_IPADDR_V6");
        let children = self.links.topology.children(self.rank);
        let here = children.iter().filter(|rank| self.is_here(**rank)).count();
        let prefers_tcp = told
            .attrs
            .value(&names::TBON_PREFERTCP)
            .is_some_and(|text| text != "0");
        let mut uris = Vec::new();
        if here < children.len() || prefers_tcp {
            let hint = address::hint(told.attrs.value(&names::TBON_INTERFACE_HINT), told.env);
            let address: IpAddr = address::find(&hint, host, wants_v6)?;
            uris.push(format!("tcp://{}:*", address::in_uri(address)));
        }
        if here > 0 && !prefers_tcp {
            uris.push(format!("ipc://{}/tbon-{}", rundir.display(), self.rank));
        }
        if uris.is_empty() {
            bail!("rank {} has no address", self.rank);
        }
        Ok(uris)
    }
}

/// A key pair for this broker. A launcher that may start it again has it kept in the rundir
/// that its brokers share: its parent knows no other key for its rank.
fn own_key(path: &Path, is_kept: bool) -> anyhow::Result<KeyPair> {
    if !is_kept {
        return Ok(KeyPair::new()?);
    }
    if path.exists() {
        return Ok(Certificate::load(path)?.pair);
    }
    let certificate = Certificate {
        metadata: Vec::new(),
        pair: KeyPair::new()?,
    };
    let saved = certificate.save(path);
    saved.with_context(|| format!("{}: cannot keep the key of this broker", path.display()))?;
    Ok(certificate.pair)
}

fn no_key(rank: u32) -> anyhow::Error {
    anyhow!("the card of rank {rank} has no key: it is no broker of this version")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, size: u32, expect: Option<&str>) {
        let map = repeated(text, size).map(|map| map.to_raw());
        assert_eq!(map.as_deref(), expect, "{text} {size}");
    }

    #[test]
    fn a_mapping_is_repeated_until_it_is_long_enough() {
        check("(vector,(0,1,1))", 3, Some("0-2"));
        check("(vector,(0,2,1))", 4, Some("0,2;1,3"));
        check("(vector,(0,1,4))", 4, Some("0-3"));
        check("(vector)", 2, None);
        check("nonsense", 2, None);
    }

    #[test]
    fn a_broker_that_is_started_again_has_its_key_again() {
        let folder = tempfile::tempdir().expect("the test has set this up");
        let path = folder.path().join("key-1");
        let key = |is_kept| own_key(&path, is_kept).expect("a key").public();
        let first = key(true);
        assert_eq!(key(true), first);
        assert_ne!(key(false), first);
        std::fs::write(&path, "nonsense").expect("the test has set this up");
        assert!(own_key(&path, true).is_err());
    }

    #[test]
    fn addresses_are_written_as_they_are_known() {
        assert_eq!(plain("tcp://[::ffff:10.0.0.1]:80"), "tcp://10.0.0.1:80");
        assert_eq!(plain("tcp://[fe80::1]:80"), "tcp://[fe80::1]:80");
        assert_eq!(plain("ipc:///run/tbon-0"), "ipc:///run/tbon-0");
    }
}
