//! The environment of tasks: the job's own, and the variables added by the shell
//! (protocol/13 section 10). Pure.

use std::collections::BTreeMap;

use proto::data::{JobId, JobIdEncoding};
use proto::terminus::SESSION_VAR;
use serde_json::{Map, Value};

/// Inputs for the variables that the shell adds.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The job.
    pub id: JobId,
    /// True if `ƒ` can be shown.
    pub utf8: bool,
    /// Path of the instance among instances: `/` at the root.
    pub parent_path: String,
    /// Tasks in the job.
    pub ntasks: u64,
    /// Nodes in the job.
    pub nnodes: u64,
    /// Local URI of the broker.
    pub uri: String,
    /// The job's namespace in the KVS.
    pub namespace: String,
    /// The job's temporary directory.
    pub tmpdir: String,
    /// Our host.
    pub hostname: String,
    /// True if tasks are prepared for Open MPI.
    pub openmpi: bool,
    /// Path of `libpmi.so`, if PMI is served and it is there.
    pub pmi_library: Option<String>,
}

/// Variable with the path of a library by which tasks find our PMI.
const PMI_LIBRARY: &str = "FLUX_PMI_LIBRARY_PATH";
/// Variable with the folders in which libraries are looked for.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The variables that all tasks share. `environment` is the job's own, where null removes.
pub fn of_job(environment: &Map<String, Value>, around: &Surroundings) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (name, value) in environment {
        if let Value::String(value) = value
            && is_sound(name, value)
        {
            env.insert(name.clone(), value.clone());
        }
    }
    let id = around.id.encode(match around.utf8 {
        true => JobIdEncoding::F58,
        false => JobIdEncoding::F58Plain,
    });
    let parent = around.parent_path.trim_end_matches('/');
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    set("FLUX_JOB_ID_PATH", format!("{parent}/{id}"));
    set("FLUX_JOB_ID", id);
    set("FLUX_JOB_SIZE", around.ntasks.to_string());
    set("FLUX_JOB_NNODES", around.nnodes.to_string());
    set("FLUX_URI", around.uri.clone());
    set("FLUX_KVS_NAMESPACE", around.namespace.clone());
    set("FLUX_JOB_TMPDIR", around.tmpdir.clone());
    // On a terminal or not, so that none is begun within another.
    set(SESSION_VAR, "0".to_owned());
    if env.contains_key("HOSTNAME") {
        env.insert("HOSTNAME".to_owned(), around.hostname.clone());
    }
    env.remove("FLUX_PROXY_REMOTE");
    // A job within a job must not load the library of another instance.
    env.remove(PMI_LIBRARY);
    prepare_for_mpi(&mut env, around);
    env
}

/// Passes a library of ours to tasks, by its path and by its folder.
fn offer_library(env: &mut BTreeMap<String, String>, library: &str) {
    env.insert(PMI_LIBRARY.to_owned(), library.to_owned());
    let Some((folder, _)) = library.rsplit_once('/') else {
        return;
    };
    let folders = env.get(LIBRARY_PATH).map_or("", String::as_str);
    let others = folders.split(':').filter(|other| !other.is_empty());
    let others = others.filter(|other| *other != folder);
    let folders: Vec<&str> = [folder].into_iter().chain(others).collect();
    env.insert(LIBRARY_PATH.to_owned(), folders.join(":"));
}

/// Adds variables needed by tasks of an MPI.
pub fn prepare_for_mpi(env: &mut BTreeMap<String, String>, around: &Surroundings) {
    if around.openmpi {
        let name = "OMPI_MCA_btl_vader_backing_directory";
        env.insert(name.to_owned(), around.tmpdir.clone());
    }
    if let Some(library) = &around.pmi_library {
        offer_library(env, library);
    }
}

/// The variables of one task: the shared ones, its place in the job, and the GPUs that it
/// is to see, if the shell decides that.
pub fn of_task(
    shared: &BTreeMap<String, String>,
    rank: u32,
    local_id: u32,
    pmi_size: Option<u64>,
    gpus: Option<String>,
) -> Vec<(String, String)> {
    let mut env = shared.clone();
    if let Some(gpus) = gpus {
        env.insert("CUDA_VISIBLE_DEVICES".to_owned(), gpus);
        let order = env.entry("CUDA_DEVICE_ORDER".to_owned());
        order.or_insert_with(|| "PCI_BUS_ID".to_owned());
    }
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    set("FLUX_TASK_RANK", rank.to_string());
    set("FLUX_TASK_LOCAL_ID", local_id.to_string());
    match pmi_size {
        Some(size) => {
            set("PMI_RANK", rank.to_string());
            set("PMI_SIZE", size.to_string());
        }
        // A job within a job must not find the server of another.
        None => {
            for name in ["PMI_FD", "PMI_RANK", "PMI_SIZE"] {
                env.remove(name);
            }
        }
    }
    env.into_iter().collect()
}

/// Sets more variables, those that there are already too.
pub fn set_all(env: &mut Vec<(String, String)>, more: impl Iterator<Item = (String, String)>) {
    for (name, value) in more.filter(|(name, value)| is_sound(name, value)) {
        env.retain(|(known, _)| *known != name);
        env.push((name, value));
    }
}

/// True if execve(2) accepts the variable.
fn is_sound(name: &str, value: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
}

/// True if these locale variables ask for UTF-8; the first one set decides.
pub fn is_utf8(get: impl Fn(&str) -> Option<String>) -> bool {
    if get("FLUX_F58_FORCE_ASCII").is_some() {
        return false;
    }
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| get(name).filter(|v| !v.is_empty()));
    let locale = set.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn around() -> Surroundings {
        Surroundings {
            id: JobId(1234),
            utf8: true,
            parent_path: "/".to_owned(),
            ntasks: 4,
            nnodes: 1,
            uri: "local:///run/local-0".to_owned(),
            namespace: "job-1234".to_owned(),
            tmpdir: "/run/jobtmp-0-fNH".to_owned(),
            hostname: "host0".to_owned(),
            openmpi: false,
            pmi_library: None,
        }
    }

    /// Prints the environment of task 2 of a job with this environment of its own.
    fn check(own: Value, pmi_size: Option<u64>, around: &Surroundings, expect: &[&str]) {
        let own = own.as_object().unwrap();
        let env = of_task(&of_job(own, around), 2, 1, pmi_size, None);
        let lines: Vec<String> = env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(lines, expect);
    }

    const PLAIN: [&str; 10] = [
        "FLUX_JOB_ID=ƒNH",
        "FLUX_JOB_ID_PATH=/ƒNH",
        "FLUX_JOB_NNODES=1",
        "FLUX_JOB_SIZE=4",
        "FLUX_JOB_TMPDIR=/run/jobtmp-0-fNH",
        "FLUX_KVS_NAMESPACE=job-1234",
        "FLUX_TASK_LOCAL_ID=1",
        "FLUX_TASK_RANK=2",
        "FLUX_TERMINUS_SESSION=0",
        "FLUX_URI=local:///run/local-0",
    ];

    #[test]
    fn a_task_learns_its_place() {
        check(json!({}), None, &around(), &PLAIN);
    }

    #[test]
    fn null_removes_and_unsound_variables_are_left_out() {
        check(
            json!({"PATH": null, "A=B": "1", "N": 7, "FLUX_PROXY_REMOTE": "x"}),
            None,
            &around(),
            &PLAIN,
        );
    }

    #[test]
    fn pmi_is_announced_only_where_it_is_served() {
        let with: Vec<&str> = [&PLAIN[..], &["PMI_RANK=2", "PMI_SIZE=4"]].concat();
        check(json!({}), Some(4), &around(), &with);
        check(
            json!({"PMI_FD": "9", "PMI_RANK": "1"}),
            None,
            &around(),
            &PLAIN,
        );
    }

    #[test]
    fn the_library_of_pmi_is_found_before_others() {
        let check = |own: Value, library: Option<&str>, expect: [Option<&str>; 2]| {
            let around = Surroundings {
                pmi_library: library.map(str::to_owned),
                ..around()
            };
            let env = of_job(own.as_object().unwrap(), &around);
            let found = [PMI_LIBRARY, LIBRARY_PATH].map(|name| env.get(name).map(String::as_str));
            assert_eq!(found, expect, "{own}");
        };
        let ours = Some("/f/libpmi.so");
        check(json!({}), ours, [ours, Some("/f")]);
        let own = json!({"LD_LIBRARY_PATH": "/a::/f:/b", "FLUX_PMI_LIBRARY_PATH": "/x"});
        check(own.clone(), ours, [ours, Some("/f:/a:/b")]);
        check(own, None, [None, Some("/a::/f:/b")]);
    }

    #[test]
    fn the_host_name_is_replaced_only_if_the_job_has_one() {
        let with: Vec<&str> = [&PLAIN[..], &["HOSTNAME=host0"]].concat();
        check(json!({"HOSTNAME": "login"}), None, &around(), &with);
    }

    #[test]
    fn open_mpi_keeps_its_files_with_those_of_the_job() {
        let around = Surroundings {
            openmpi: true,
            ..around()
        };
        let shared = of_job(&Map::new(), &around);
        let name = "OMPI_MCA_btl_vader_backing_directory";
        assert_eq!(shared[name], "/run/jobtmp-0-fNH");
    }

    #[test]
    fn gpus_and_the_path_of_a_nested_instance_are_told() {
        let nested = Surroundings {
            parent_path: "/ƒ2".to_owned(),
            utf8: false,
            ..around()
        };
        let shared = of_job(&Map::new(), &nested);
        assert_eq!(shared["FLUX_JOB_ID_PATH"], "/ƒ2/fNH");
        let env = of_task(&shared, 0, 0, None, Some("-1".to_owned()));
        let has = |name: &str, value: &str| env.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("CUDA_VISIBLE_DEVICES", "-1"));
        assert!(has("CUDA_DEVICE_ORDER", "PCI_BUS_ID"));
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let check = |vars: &[(&str, &str)], expect| {
            let get = |name: &str| {
                vars.iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_utf8(get), expect, "{vars:?}");
        };
        check(&[("LANG", "C.UTF-8")], true);
        check(&[("LC_ALL", "C"), ("LANG", "en_US.utf8")], false);
        check(&[("LC_ALL", ""), ("LC_CTYPE", "en_US.utf8")], true);
        check(&[("LANG", "C.UTF-8"), ("FLUX_F58_FORCE_ASCII", "1")], false);
        check(&[], false);
    }
}
