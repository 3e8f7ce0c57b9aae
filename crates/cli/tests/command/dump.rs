//! flux dump, flux restore and flux gc, where their output needs no live store.

use std::os::unix::net::UnixDatagram;

use client::Refusal;
use client::fake::{Act, FakeBroker, answer, answer_raw, refuse};
use proto::Errno;
use proto::data::{HashKind, Tree};
use serde_json::json;
use wire::Message;

use super::{check, run};

/// An instance whose store is empty.
fn empty(request: &Message) -> Vec<Act> {
    let root = Tree::empty_dir();
    let rootref = root.blobref(HashKind::Sha1).to_string();
    vec![match request.topic() {
        "kvs.getroot" => answer(
            request,
            &json!({"owner": 0, "rootseq": 1, "rootref": rootref, "flags": 0,
                "namespace": "primary"}),
        ),
        "content.load" => answer_raw(request, root.encode()),
        "content-backing.gc-info" => answer(request, &json!({"current_epoch": 0, "high_water": 9})),
        _ => refuse(request, &Refusal::bare(Errno::ENOENT)),
    }]
}

#[test]
fn systemd_is_told_how_far_a_dump_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let broker = FakeBroker::listen(&folder.path().join("local"), empty).unwrap();
    let systemd = UnixDatagram::bind(path("notify")).unwrap();
    let (uri, notify, file) = (broker.uri(), path("notify"), path("x.tar"));
    let env = [("FLUX_URI", uri.as_str()), ("NOTIFY_SOCKET", &notify)];
    let said = run(&env, &["dump", "--sd-notify", &file], "");
    assert_eq!(said, "-- stderr\nflux-dump: archived 0 keys\n");
    let mut status = [0; 100];
    let n = systemd.recv(&mut status).unwrap();
    assert_eq!(&status[..n], b"STATUS=flux dump: archived 0 keys");
    // Two blocks of zeros are an archive without members.
    assert_eq!(std::fs::read(&file).unwrap(), vec![0; 1024]);
}

#[test]
fn a_dump_that_fails_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.tgz");
    std::fs::write(&file, "old").unwrap();
    let line = format!("dump {}", file.display());
    let broken = |request: &Message| match request.topic() {
        "content.load" => vec![refuse(request, &Refusal::bare(Errno::EIO))],
        _ => empty(request),
    };
    let said = "-- stderr\nflux-dump: .: Input/output error\n-- code 1\n";
    check(&line, broken, said);
    // Not even the end of an archive.
    check("dump -", broken, said);
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_restore_has_to_be_told_where() {
    check(
        "restore x.tar",
        empty,
        "-- stderr\n\
        flux-restore: Please specify a restore target with --checkpoint or --key\n\
        -- code 1\n",
    );
    let says = |line: &str, text: &str| {
        check(line, empty, &format!("-- stderr\n{text}\n-- code 1\n"));
    };
    says(
        "restore --checkpoint -",
        "flux-restore: please unload kvs module before using --checkpoint",
    );
    says(
        "restore --key=a /nope.tar",
        "flux-restore: /nope.tar: No such file or directory",
    );
}

#[test]
fn without_a_checkpoint_there_is_no_garbage() {
    check(
        "gc",
        empty,
        "-- stderr\n\
        flux-gc: there is no checkpoint, so no blob is older than one\n\
        hint: 'flux kvs sync' makes one\n\
        -- code 1\n",
    );
}
