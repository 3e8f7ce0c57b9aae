//! Templates in paths and arguments: `{{id}}`, `{{taskid}}` and their like (protocol/23
//! section 15). Pure.

use std::collections::BTreeMap;

use proto::data::{JobId, JobIdEncoding};
use serde_json::json;

/// Template tags of a job.
#[derive(Debug, Clone, Default)]
pub struct JobTags {
    /// The job.
    pub id: JobId,
    /// True if `ƒ` can be shown.
    pub utf8: bool,
    /// Name.
    pub name: String,
    /// Temporary directory.
    pub tmpdir: String,
    /// Number of nodes.
    pub nnodes: u64,
    /// Number of tasks.
    pub ntasks: u64,
    /// Tags set by scripts.
    pub own: BTreeMap<String, String>,
}

/// Further template tags of a shell.
#[derive(Debug, Clone, Default)]
pub struct NodeTags {
    /// Index among the nodes of the job.
    pub id: u32,
    /// Host name.
    pub name: String,
    /// Broker rank.
    pub broker_rank: u32,
    /// Idset of cores.
    pub cores: String,
    /// Idset of GPUs.
    pub gpus: String,
    /// Number of cores.
    pub ncores: u64,
    /// Number of tasks of the job here.
    pub ntasks: u64,
    /// Idset of their ranks.
    pub taskids: String,
}

/// Further template tags of a task.
#[derive(Debug, Clone, Copy)]
pub struct TaskTags {
    /// Rank in the job.
    pub rank: u32,
    /// Index on the node.
    pub index: u32,
}

/// All tags of a template; tags of absent values are left as they are.
#[derive(Debug, Clone, Copy)]
pub struct Tags<'a> {
    /// The job.
    pub job: &'a JobTags,
    /// The node, if there is one.
    pub node: Option<&'a NodeTags>,
    /// The task, if there is one.
    pub task: Option<TaskTags>,
    /// The index of the element, in an array.
    pub element: Option<u32>,
}

impl Tags<'_> {
    /// Fills in `template`. Unknown tags are left unchanged.
    pub fn render(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(open) = rest.find("{{") {
            let (before, tagged) = rest.split_at(open);
            out += before;
            let Some(close) = tagged.find("}}") else {
                rest = tagged;
                break;
            };
            let (tag, after) = tagged.split_at(close + 2);
            let name = &tag[2..close];
            let own = || self.job.own.get(name).cloned();
            match self.value(name).or_else(own) {
                Some(value) => out += &value,
                None => out += tag,
            }
            rest = after;
        }
        out + rest
    }

    fn value(&self, tag: &str) -> Option<String> {
        match tag {
            "name" => Some(self.job.name.clone()),
            "nnodes" => Some(self.job.nnodes.to_string()),
            "size" | "ntasks" => Some(self.job.ntasks.to_string()),
            "tmpdir" => Some(self.job.tmpdir.clone()),
            "taskid" => self.task_value("rank"),
            "array.index" => Some(self.element?.to_string()),
            _ => match tag.split_once('.') {
                Some(("node", what)) => self.node_value(what),
                Some(("task", what)) => self.task_value(what),
                _ => self.id_value(tag),
            },
        }
    }

    fn id_value(&self, tag: &str) -> Option<String> {
        let spelling = tag
            .strip_prefix("jobid")
            .or_else(|| tag.strip_prefix("id"))?;
        let encoding = match spelling {
            "" | ".f58" if self.job.utf8 => JobIdEncoding::F58,
            "" | ".f58" | ".f58plain" => JobIdEncoding::F58Plain,
            ".dec" => JobIdEncoding::Dec,
            ".hex" => JobIdEncoding::Hex,
            ".dothex" => JobIdEncoding::DotHex,
            ".kvs" => JobIdEncoding::Kvs,
            ".words" => JobIdEncoding::Words,
            ".emoji" => JobIdEncoding::Emoji,
            _ => return None,
        };
        Some(self.job.id.encode(encoding))
    }

    fn node_value(&self, what: &str) -> Option<String> {
        let node = self.node?;
        Some(match what {
            "id" => node.id.to_string(),
            "name" => node.name.clone(),
            "broker_rank" => node.broker_rank.to_string(),
            "cores" => node.cores.clone(),
            "gpus" => node.gpus.clone(),
            "ncores" => node.ncores.to_string(),
            "ntasks" => node.ntasks.to_string(),
            "taskids" => node.taskids.clone(),
            "resources" => {
                let (ncores, cores, gpus) = (node.ncores, &node.cores, &node.gpus);
                json!({ "ncores": ncores, "cores": cores, "gpus": gpus }).to_string()
            }
            _ => return None,
        })
    }

    fn task_value(&self, what: &str) -> Option<String> {
        let task = self.task?;
        match what {
            "id" | "rank" => Some(task.rank.to_string()),
            "index" | "localid" => Some(task.index.to_string()),
            _ => None,
        }
    }
}

/// The tags of a template that are not ours.
pub fn other_tags(template: &str) -> Vec<&str> {
    let job = JobTags::default();
    let node = NodeTags::default();
    let tags = Tags {
        job: &job,
        node: Some(&node),
        task: Some(TaskTags { rank: 0, index: 0 }),
        element: Some(0),
    };
    let found = template.split("{{").skip(1);
    let names = found.filter_map(|rest| Some(rest.split_once("}}")?.0));
    names.filter(|name| tags.value(name).is_none()).collect()
}

/// True if a template has a task tag, so that it differs between tasks.
pub fn names_task(template: &str) -> bool {
    ["{{taskid}}", "{{task."]
        .iter()
        .any(|tag| template.contains(tag))
}

/// True if a template has an array element tag.
pub fn names_element(template: &str) -> bool {
    template.contains("{{array.index}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expect: &str) {
        let job = JobTags {
            id: JobId(6731191091817518),
            utf8: true,
            name: "vm".to_owned(),
            tmpdir: "/tmp/x".to_owned(),
            nnodes: 1,
            ntasks: 4,
            own: [("site".to_owned(), "x".to_owned())].into(),
        };
        let node = NodeTags {
            name: "host0".to_owned(),
            cores: "0-3".to_owned(),
            ncores: 4,
            ntasks: 4,
            taskids: "0-3".to_owned(),
            ..NodeTags::default()
        };
        let task = TaskTags { rank: 3, index: 1 };
        let tags = Tags {
            job: &job,
            node: Some(&node),
            task: Some(task),
            element: Some(17),
        };
        assert_eq!(tags.render(template), expect);
    }

    #[test]
    fn the_id_has_all_its_spellings() {
        check("flux-{{id}}.out", "flux-ƒuZZybuNNy.out");
        check("{{jobid}}", "ƒuZZybuNNy");
        check(
            "{{id.f58plain}} {{jobid.f58plain}}",
            "fuZZybuNNy fuZZybuNNy",
        );
        check("{{id.dec}}/{{id.hex}}", "6731191091817518/0x17e9fb8df16c2e");
        check("{{id.dothex}}", "0017.e9fb.8df1.6c2e");
        check("{{id.kvs}}", "job.0017.e9fb.8df1.6c2e");
        check(
            "{{id.words}}",
            "reform-remote-galileo--heart-package-academy",
        );
    }

    #[test]
    fn nodes_and_tasks_are_named() {
        check("{{name}}.{{taskid}}.{{task.index}}", "vm.3.1");
        check("out.{{array.index}} {{array.x}}", "out.17 {{array.x}}");
        check(
            "{{node.name}}:{{node.cores}}={{node.ncores}}",
            "host0:0-3=4",
        );
        check("{{tmpdir}}/script {{size}} {{nnodes}}", "/tmp/x/script 4 1");
        check("{{node.ntasks}} {{node.taskids}}", "4 0-3");
        let resources = r#"{"ncores":4,"cores":"0-3","gpus":""}"#;
        check("{{node.resources}}", resources);
    }

    #[test]
    fn scripts_add_tags_of_their_own() {
        check("{{site}}-{{site.y}}", "x-{{site.y}}");
        let other = other_tags("{{id}} {{site}}{{node.cores}} {{node.x}} {{open");
        assert_eq!(other, ["site", "node.x"]);
    }

    #[test]
    fn what_is_unknown_or_unfinished_is_left_alone() {
        check(
            "{{foo}} {{id.foo}} {{node.ngpus}}",
            "{{foo}} {{id.foo}} {{node.ngpus}}",
        );
        check("{{id", "{{id");
        check("}} {{}} {", "}} {{}} {");
        check("{{{id}}}", "{{{id}}}");
        check("plain", "plain");
    }

    #[test]
    fn tags_of_what_is_absent_are_left_alone() {
        let job = JobTags::default();
        let tags = Tags {
            job: &job,
            node: None,
            task: None,
            element: None,
        };
        assert_eq!(
            tags.render("{{id}}-{{taskid}}-{{node.name}}-{{array.index}}"),
            "f1-{{taskid}}-{{node.name}}-{{array.index}}"
        );
    }

    #[test]
    fn a_template_that_differs_between_tasks_is_told() {
        assert!(names_task("out.{{taskid}}"));
        assert!(names_task("out.{{task.index}}"));
        assert!(!names_task("{{node.name}}.out"));
        assert!(!names_task("{{id}}.out"));
    }
}
