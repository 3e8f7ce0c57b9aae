//! The sub-commands, one file each, and the table of them.

use command::entry::Entry;

pub mod admin;
pub mod alloc;
pub mod archive;
pub mod batch;
pub mod broker;
pub mod bulksubmit;
pub mod cancel;
pub mod completion;
pub mod config;
pub mod content;
pub mod cron;
pub mod dmesg;
pub mod dump;
pub mod env;
pub mod event;
pub mod exec;
pub mod fortune;
pub mod fsck;
pub mod gc;
pub mod getattr;
pub mod heaptrace;
pub mod help;
pub mod hostlist;
pub mod housekeeping;
pub mod ingest;
pub mod job;
pub mod jobs;
pub mod jobtap;
pub mod keygen;
pub mod kvs;
pub mod lint;
pub mod logger;
pub mod lptest;
pub mod lsattr;
pub mod modprobe;
pub mod module;
pub mod multi_prog;
pub mod orphans;
pub mod overlay;
pub mod pgrep;
pub mod ping;
pub mod pmi;
pub mod post_job_event;
pub mod proxy;
pub mod pstree;
pub mod python;
pub mod queue;
pub mod r;
pub mod relay;
pub mod resource;
pub mod restore;
pub mod run;
pub mod setattr;
pub mod shutdown;
pub mod slurm_expiration_sync;
pub mod sproc;
pub mod start;
pub mod startlog;
pub mod submit;
pub mod terminus;
pub mod top;
pub mod update;
pub mod uptime;
pub mod uri;
pub mod version;
pub mod watch;
pub mod web;

/// Every sub-command, by name. A new command adds its line here.
pub const ENTRIES: &[Entry] = &[
    Entry::of::<r::R>(),
    Entry::of::<admin::Admin>(),
    Entry::of::<alloc::Alloc>(),
    Entry::of::<archive::Archive>(),
    Entry::of::<batch::Batch>(),
    Entry::of::<broker::Broker>(),
    Entry::of::<bulksubmit::Bulksubmit>(),
    Entry::of::<cancel::Cancel>(),
    Entry::of::<completion::Completion>(),
    Entry::of::<config::Config>(),
    Entry::of::<content::Content>(),
    Entry::of::<cron::Cron>(),
    Entry::of::<dmesg::Dmesg>(),
    Entry::of::<dump::Dump>(),
    Entry::of::<env::Env>(),
    Entry::of::<event::Event>(),
    Entry::of::<exec::Exec>(),
    Entry::of::<archive::Filemap>(),
    Entry::of::<fortune::Fortune>(),
    Entry::of::<fsck::Fsck>(),
    Entry::of::<gc::Gc>(),
    Entry::of::<getattr::Getattr>(),
    Entry::of::<heaptrace::Heaptrace>(),
    Entry::of::<help::Help>(),
    Entry::of::<hostlist::HostlistCommand>(),
    Entry::of::<housekeeping::Housekeeping>(),
    Entry::of::<job::Job>(),
    Entry::of::<ingest::JobFrobnicator>(),
    Entry::of::<ingest::JobValidator>(),
    Entry::of::<jobs::Jobs>(),
    Entry::of::<jobtap::Jobtap>(),
    Entry::of::<keygen::Keygen>(),
    Entry::of::<kvs::Kvs>(),
    Entry::of::<lint::Lint>(),
    Entry::of::<logger::Logger>(),
    Entry::of::<lptest::Lptest>(),
    Entry::of::<lsattr::Lsattr>(),
    Entry::of::<modprobe::Modprobe>(),
    Entry::of::<module::Module>(),
    Entry::of::<multi_prog::MultiProg>(),
    Entry::of::<orphans::Orphans>(),
    Entry::of::<overlay::Overlay>(),
    Entry::of::<pgrep::Pgrep>(),
    Entry::of::<ping::Ping>(),
    Entry::of::<pgrep::Pkill>(),
    Entry::of::<pmi::Pmi>(),
    Entry::of::<post_job_event::PostJobEvent>(),
    Entry::of::<proxy::Proxy>(),
    Entry::of::<pstree::Pstree>(),
    Entry::of::<python::Python>(),
    Entry::of::<queue::Queue>(),
    Entry::of::<relay::Relay>(),
    Entry::of::<resource::Resource>(),
    Entry::of::<restore::Restore>(),
    Entry::of::<run::RunCommand>(),
    Entry::of::<setattr::Setattr>(),
    Entry::of::<shutdown::Shutdown>(),
    Entry::of::<slurm_expiration_sync::SlurmExpirationSync>(),
    Entry::of::<sproc::Sproc>(),
    Entry::of::<start::Start>(),
    Entry::of::<startlog::Startlog>(),
    Entry::of::<submit::Submit>(),
    Entry::of::<terminus::Terminus>(),
    Entry::of::<top::Top>(),
    Entry::of::<update::Update>(),
    Entry::of::<uptime::Uptime>(),
    Entry::of::<uri::Uri>(),
    Entry::of::<version::Version>(),
    Entry::of::<watch::Watch>(),
    Entry::of::<web::Web>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_name_twice() {
        let names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn every_parser_is_consistent_and_explains_itself() {
        for entry in ENTRIES {
            let parser = entry.parser();
            assert!(parser.get_about().is_some(), "{} has no about", entry.name);
            parser.debug_assert();
        }
    }
}
