//! Bootstrap of a broker: its rank and peers come from its launcher by PMI, from the table
//! `[bootstrap]` of its configuration, or it is the only one (protocol/20 sections 11 and
//! 12).
//!
//! All of this happens before the broker lives, and may wait for the launcher.

mod address;
mod card;
mod hosts;
mod launched;
pub mod parent;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use broker::Links;
use broker::attrs::Attrs;
use broker::membership::{self, Member};
use keys::{Certificate, KeyPair};
use proto::Object;
use proto::attr::names;
use proto::data::Topology;
use proto::data::topology::Scheme;
use runtime::Overlay;
use runtime::link::{Curve, Tcp};

use hosts::Hosts;

/// Facts known from the start.
pub struct Inputs<'a> {
    /// Attributes of the command line; who we are is added to them.
    pub attrs: &'a mut Attrs,
    /// The configuration.
    pub config: &'a Object,
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
}

/// A broker that knows who it is, and has not met the others.
pub struct Begun {
    /// Rank.
    pub rank: u32,
    topology: Topology,
    way: Way,
}

/// Method of bootstrap.
enum Way {
    /// There are none.
    Alone,
    /// As the table says.
    Configured(Hosts),
    /// Through the launcher.
    Launched(launched::Launch),
}

/// A broker that has met the others.
pub struct Met {
    /// The links, of an instance of several.
    pub overlay: Option<Overlay>,
    /// Connections to the others.
    pub links: Links,
}

/// Finds out who we are.
///
/// # Errors
/// The launcher, the configuration or an attribute makes it impossible; the text has the
/// reason.
pub fn begin(told: Inputs<'_>, interrupt: Option<OwnedFd>) -> anyhow::Result<Begun> {
    let hosts =
        hosts::read(told.config).map_err(|why| anyhow!("Config file error [bootstrap]: {why}"))?;
    let mut options = pmi::Options {
        methods: pmi::methods(told.attrs.value(&names::BROKER_BOOT_METHOD), told.env),
        env: told.env.clone(),
        has_config: hosts.is_some(),
        interrupt,
        ..pmi::Options::default()
    };
    if told.env.contains_key("FLUX_PMI_DEBUG") {
        options.trace = Some(Box::new(|line| eprintln!("bootstrap: {line}")));
    }
    match (pmi::begin(options).context("bootstrap")?, hosts) {
        (pmi::Begun::Client(client), _) => launched::begin(told, client),
        (pmi::Begun::Config, Some(hosts)) => configured(told, hosts),
        (pmi::Begun::Config, None) => bail!("bootstrap configuration not found"),
    }
}

impl Begun {
    /// Meets the others. The socket for children on this host goes into `rundir`; `uuid` is
    /// our name on route stacks.
    ///
    /// # Errors
    /// They cannot be found or listened to.
    pub fn meet(self, told: Inputs<'_>, rundir: &Path, uuid: &str) -> anyhow::Result<Met> {
        let links = Links::new(self.topology);
        match self.way {
            Way::Alone => Ok(Met {
                overlay: None,
                links,
            }),
            Way::Configured(hosts) => meet_configured(told, self.rank, links, &hosts, uuid),
            Way::Launched(launch) => launch.meet(told, self.rank, links, rundir, uuid),
        }
    }
}

/// The way of the configuration: everybody has the same certificate and knows all hosts.
fn configured(told: Inputs<'_>, hosts: Hosts) -> anyhow::Result<Begun> {
    let hostname = told
        .attrs
        .value(&names::HOSTNAME)
        .unwrap_or_default()
        .to_owned();
    let rank = hosts.rank_of(&hostname);
    let rank = rank
        .ok_or_else(|| anyhow!("Config file error [bootstrap]: {hostname} not found in hosts"))?;
    let rank = u32::try_from(rank)?;
    let size = hosts.size();
    let scheme = membership::scheme(told.attrs, Scheme::Custom, size)?;
    let topology = match scheme {
        Scheme::Custom => hosts
            .custom_tree()
            .map_err(|why| anyhow!("Config file [bootstrap] hosts: {why}"))?,
        scheme => Topology::new(scheme, size),
    };
    told.attrs.put(&names::HOSTLIST, hosts.hostlist());
    let tree = &topology;
    membership::settle(told.attrs, &Member { rank, tree, scheme })?;
    told.attrs.put(&names::BROKER_BOOT_METHOD, "config");
    told.attrs
        .put(&names::BROKER_MAPPING, format!("[[0,{size},1,1]]"));
    told.attrs.put(&names::INSTANCE_LEVEL, "0");
    let way = match size {
        1 => Way::Alone,
        _ => Way::Configured(hosts),
    };
    Ok(Begun {
        rank,
        topology,
        way,
    })
}

fn meet_configured(
    told: Inputs<'_>,
    rank: u32,
    mut links: Links,
    hosts: &Hosts,
    uuid: &str,
) -> anyhow::Result<Met> {
    let path = hosts.curve_cert.as_deref().unwrap_or(Path::new(""));
    let certificate = Certificate::load(path)?;
    let key = certificate.pair.public().to_string();
    let mut overlay = overlay(told.attrs, &certificate.pair, hosts.enable_ipv6)?;
    let wrong = |why: String| anyhow!("Config file error [bootstrap]: {why}");
    if !links.topology.children(rank).is_empty() {
        let uri = hosts.bind_uri(rank).map_err(wrong)?.to_owned();
        overlay.listen(std::slice::from_ref(&uri))?;
        overlay.allow(&key);
        told.attrs.put(&names::TBON_ENDPOINT, uri);
    }
    if let Some(parent) = links.topology.parent(rank) {
        let uri = hosts.connect_uri(parent).map_err(wrong)?;
        overlay.reach_parent(uri, &key, uuid)?;
        told.attrs.put(&names::TBON_PARENT_ENDPOINT, uri.to_owned());
        links.parent_uri = Some(uri.to_owned());
    }
    Ok(Met {
        overlay: Some(overlay),
        links,
    })
}

/// Links of nobody yet.
fn overlay(attrs: &Attrs, pair: &KeyPair, ipv6: bool) -> anyhow::Result<Overlay> {
    let curve = Curve {
        public: pair.public().to_string(),
        secret: pair.secret_text(),
    };
    let milliseconds = |attr| {
        let time = attrs.duration(attr).unwrap_or_default();
        i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
    };
    let tcp = Tcp {
        user_timeout_ms: milliseconds(&names::TBON_TCP_USER_TIMEOUT),
        connect_timeout_ms: milliseconds(&names::TBON_CONNECT_TIMEOUT),
        ipv6,
    };
    let io_threads = attrs.number(&names::TBON_ZMQ_IO_THREADS);
    let receive = attrs.number(&names::TBON_CHILD_RCVHWM);
    let mut overlay = Overlay::new(
        curve,
        tcp,
        i32::try_from(io_threads)?,
        u32::try_from(receive)?,
    );
    if attrs.number(&names::TBON_ZMQDEBUG) != 0 {
        overlay.log_connections();
    }
    Ok(overlay)
}
