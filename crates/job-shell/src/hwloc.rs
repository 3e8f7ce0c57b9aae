//! Option `hwloc`: the topology of the host as a file for tasks, the XML of hwloc as `resource`
//! has it, restricted to the processors of the job if that is wanted (protocol/23 section 13).

use std::collections::BTreeMap;

use node::Cx;
use proto::data::IdSet;
use proto::resource::{TopoGet, Topology};

use crate::JobShell;
use crate::limits::CPU_WORDS_MAX;
use crate::log::Level;
use crate::options::{Affinity, HWLOC, Hwloc, bitmap_cpus, hwloc_failed};
use crate::worker::Files;

impl JobShell {
    /// Writes the topology if the job wants it, and goes on.
    pub(crate) fn write_topology(&mut self, cx: &mut Cx<Self>) {
        let wanted = self.job.as_ref().map(|job| job.options.hwloc);
        let Some(Hwloc {
            xmlfile: true,
            restrict,
        }) = wanted
        else {
            return self.recall_array(cx);
        };
        cx.call(
            &TopoGet,
            move |core: &mut JobShell, cx, found| match found {
                Ok(Topology(xml)) => core.keep_topology(cx, xml, restrict),
                Err(error) => core.topology_failed(cx, &format!("resource.topo-get: {error}")),
            },
        );
    }

    fn keep_topology(&mut self, cx: &mut Cx<Self>, xml: String, restrict: bool) {
        let (Some(job), Some(prepared)) = (&self.job, &self.prepared) else {
            return;
        };
        // Without cores to bind to, we may run anywhere.
        let cores = &prepared.cores.cpus;
        let is_bound = job.options.affinity.mode != Affinity::Off && !cores.is_empty();
        let own = cores.iter().fold(IdSet::new(), |sum, set| sum.union(set));
        let xml = match restrict && is_bound {
            true => restricted(&xml, &own).ok_or("the topology has none of the job's processors"),
            false => Ok(xml),
        };
        let xml = match xml {
            Ok(xml) => xml,
            Err(why) => return self.topology_failed(cx, why),
        };
        let path = format!("{}/hwloc.xml", prepared.tmpdir);
        let write = move |files: &mut Files| files.create_new(&path, xml.as_bytes()).map(|()| path);
        cx.work(write, |core: &mut JobShell, cx, written| match written {
            Ok(path) => {
                core.topology_file = Some(path);
                core.recall_array(cx);
            }
            Err(why) => core.topology_failed(cx, &why),
        });
    }

    fn topology_failed(&mut self, cx: &mut Cx<Self>, why: &str) {
        self.log(cx, Level::Error, Some(HWLOC), why);
        let failure = hwloc_failed();
        self.remark(cx, &failure.remarks);
        self.fatal(cx, 1, &failure.fatal);
    }

    /// Passes the file to tasks, unless they have one of their own.
    pub(crate) fn announce_topology(&self, env: &mut BTreeMap<String, String>) {
        if let Some(path) = &self.topology_file {
            let file = env.entry("HWLOC_XMLFILE".to_owned());
            file.or_insert_with(|| path.clone());
            // It could name others that are to be looked at first.
            env.remove("HWLOC_COMPONENTS");
        }
    }
}

/// The topology without processors other than these, and without objects that have none of
/// them; `None` if nothing is left, or the XML is not in the form of hwloc.
fn restricted(xml: &str, cpus: &IdSet) -> Option<String> {
    let kept = kept_lines(xml, cpus)?;
    let nodes = kept.iter().filter(|line| is_object(line, "NUMANode"));
    let nodes: IdSet = nodes
        .filter_map(|line| attribute(line, "os_index")?.parse::<u32>().ok())
        .collect();
    let mut out = String::with_capacity(xml.len());
    for line in kept {
        out.push_str(&narrowed(line, cpus, &nodes)?);
        out.push('\n');
    }
    Some(out)
}

/// The lines of objects that have one of these processors, and of their parents.
fn kept_lines<'a>(xml: &'a str, cpus: &IdSet) -> Option<Vec<&'a str>> {
    let mut kept = Vec::new();
    // Objects within one that is left out, that one included.
    let mut left_out: usize = 0;
    let mut has_any = false;
    for line in xml.lines() {
        let text = line.trim_start();
        let opens = text.starts_with("<object ");
        let stays_open = opens && !text.trim_end().ends_with("/>");
        if opens && left_out == 0 {
            let own = bitmap_cpus(attribute(line, "cpuset")?)?;
            if own.intersects(cpus) {
                has_any = true;
            } else {
                left_out += usize::from(stays_open);
                continue;
            }
        } else if left_out > 0 {
            left_out += usize::from(stays_open);
            left_out -= usize::from(text.starts_with("</object>"));
            continue;
        }
        kept.push(line);
    }
    has_any.then_some(kept)
}

fn is_object(line: &str, kind: &str) -> bool {
    let rest = line.trim_start().strip_prefix("<object type=\"");
    rest.is_some_and(|rest| rest.starts_with(kind))
}

/// The value of an attribute of a tag.
fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

/// A tag whose sets have nothing but these processors and nodes of memory.
fn narrowed(line: &str, cpus: &IdSet, nodes: &IdSet) -> Option<String> {
    let mut line = line.to_owned();
    if !line.trim_start().starts_with("<object ") {
        return Some(line);
    }
    for prefix in ["", "complete_", "allowed_"] {
        for (name, set) in [("cpuset", cpus), ("nodeset", nodes)] {
            let name = format!("{prefix}{name}");
            if let Some(value) = attribute(&line, &name) {
                // A set of nothing is one too.
                let own = match value {
                    "0x0" => IdSet::new(),
                    value => bitmap_cpus(value)?,
                };
                let before = format!(" {name}=\"{value}\"");
                let after = format!(" {name}=\"{}\"", bitmap(&own.intersection(set)));
                line = line.replace(&before, &after);
            }
        }
    }
    Some(line)
}

/// A set as hwloc writes it: words of 32 bits, the highest first.
fn bitmap(set: &IdSet) -> String {
    let mut words = vec![0_u32];
    for id in set.iter() {
        let at = (id / 32) as usize;
        if at < CPU_WORDS_MAX {
            words.resize(words.len().max(at + 1), 0);
            words[at] |= 1 << (id % 32);
        }
    }
    let words = words.iter().rev().map(|word| match word {
        0 => "0x0".to_owned(),
        word => format!("0x{word:08x}"),
    });
    words.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = r#"<topology version="2.0">
  <object type="Machine" os_index="0" cpuset="0x0000000f" complete_cpuset="0x0000000f" allowed_cpuset="0x0000000f" allowed_nodeset="0x00000003" nodeset="0x00000003" complete_nodeset="0x00000003" gp_index="1">
    <info name="HostName" value="a"/>
    <object type="Package" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="2">
      <object type="NUMANode" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" local_memory="4096" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="3">
      </object>
      <object type="PU" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="4"/>
      <object type="PU" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="5"/>
    </object>
    <object type="Package" os_index="1" cpuset="0x0000000c" complete_cpuset="0x0000000c" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="6">
      <object type="NUMANode" os_index="1" cpuset="0x0000000c" complete_cpuset="0x0000000c" local_memory="4096" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="7">
      </object>
      <object type="PU" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="8"/>
      <object type="PU" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="9"/>
    </object>
  </object>
</topology>
"#;

    /// The objects that are left: type, number, processors and memory.
    fn check(cpus: &str, expect: &[&str]) {
        let xml = restricted(MACHINE, &cpus.parse().unwrap());
        let xml = xml.unwrap_or_default();
        let objects = xml.lines().filter(|line| line.contains("<object "));
        let shown: Vec<String> = objects
            .map(|line| {
                let [kind, id, cpus, all, nodes] =
                    ["type", "os_index", "cpuset", "complete_cpuset", "nodeset"]
                        .map(|name| attribute(line, name).unwrap());
                assert_eq!(cpus, all, "{line}");
                format!("{kind}{id} {cpus} {nodes}")
            })
            .collect();
        assert_eq!(shown, expect, "{cpus}");
        let opened = xml.matches("<object ").count() - xml.matches("/>\n").count();
        let infos = xml.matches("<info ").count();
        assert_eq!(opened + infos, xml.matches("</object>").count());
    }

    #[test]
    fn what_has_none_of_the_processors_is_left_out() {
        check(
            "1",
            &[
                "Machine0 0x00000002 0x00000001",
                "Package0 0x00000002 0x00000001",
                "NUMANode0 0x00000002 0x00000001",
                "PU1 0x00000002 0x00000001",
            ],
        );
        check(
            "2-3",
            &[
                "Machine0 0x0000000c 0x00000002",
                "Package1 0x0000000c 0x00000002",
                "NUMANode1 0x0000000c 0x00000002",
                "PU2 0x00000004 0x00000002",
                "PU3 0x00000008 0x00000002",
            ],
        );
        check("9", &[]);
    }

    #[test]
    fn what_is_no_topology_is_not_restricted() {
        let one: IdSet = "0".parse().unwrap();
        assert_eq!(restricted("", &one), None);
        assert_eq!(restricted("<object type=\"Machine\">", &one), None);
        assert_eq!(restricted("<object cpuset=\"x\">", &one), None);
    }

    #[test]
    fn sets_are_words() {
        for (set, expect) in [("", "0x0"), ("0-1", "0x00000003"), ("32", "0x00000001,0x0")] {
            assert_eq!(bitmap(&set.parse().unwrap()), expect);
        }
    }
}
