use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use proto::data::{BlobRef, HashKind};
use serde_json::{Value, json};

use super::*;

/// Extracts objects below `folder`; blobs are zeros of the right length.
fn unpack(folder: &Path, overwrites: bool, objects: &[Value]) -> Result<(), String> {
    let target = Target::open(folder, overwrites).unwrap();
    for object in objects {
        let object = FileObject::from_json(object.clone()).unwrap();
        let growing = target.unpack(&object).map_err(|error| error.to_string())?;
        let (Some(growing), Content::Blobs(regions)) = (growing, &object.content) else {
            continue;
        };
        for region in regions {
            growing.write(region, &vec![1; region.1 as usize]).unwrap();
        }
        growing.finish().unwrap();
    }
    Ok(())
}

fn file(path: &str, data: &str) -> Value {
    json!({"path": path, "mode": 0o100_640, "mtime": 1000, "size": data.len(),
        "encoding": "utf-8", "data": data})
}

fn link(path: &str, to: &str) -> Value {
    json!({"path": path, "mode": 0o120_777, "mtime": 7, "data": to})
}

fn directory(path: &str, mode: u32) -> Value {
    json!({"path": path, "mode": 0o40_000 | mode, "mtime": 2000})
}

#[test]
fn files_are_what_their_objects_say() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    let region = Region(8192, 10, BlobRef::of(HashKind::Sha1, &[1; 10]));
    let objects = [
        file("d/e/a", "text"),
        json!({"path": "d/e/c.json", "mode": 0o100_600, "data": {"a": 1}}),
        json!({"path": "d/e/zeros", "mode": 0o100_604, "size": 1 << 20}),
        json!({"path": "d/e/sparse", "mode": 0o106_755, "size": 9000, "mtime": 3000,
            "encoding": "blobvec", "data": [region]}),
        link("d/e/l", "/nowhere"),
        directory("d/e", 0o500),
        directory("d", 0o710),
    ];
    unpack(base, false, &objects).unwrap();
    let look = |path: &str| {
        let metadata = base.join(path).symlink_metadata().unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        format!("{mode:o} {} {}", metadata.len(), metadata.mtime())
    };
    assert_eq!(look("d/e/a"), "640 4 1000");
    assert_eq!(std::fs::read_to_string(base.join("d/e/a")).unwrap(), "text");
    assert_eq!(
        std::fs::read_to_string(base.join("d/e/c.json")).unwrap(),
        r#"{"a":1}"#
    );
    assert!(look("d/e/zeros").starts_with("604 1048576 "));
    assert_eq!(
        look("d/e/sparse"),
        "755 9000 3000",
        "set-id bits are not given"
    );
    let mut bytes = vec![0; 9000];
    bytes[8192..8202].fill(1);
    assert_eq!(std::fs::read(base.join("d/e/sparse")).unwrap(), bytes);
    assert_eq!(look("d/e/l"), "777 8 7");
    assert_eq!(
        std::fs::read_link(base.join("d/e/l")).unwrap(),
        Path::new("/nowhere")
    );
    assert!(look("d/e").starts_with("500 ") && look("d/e").ends_with(" 2000"));
    assert!(look("d").starts_with("710 ") && look("d").ends_with(" 2000"));
    // So that others can remove it.
    std::fs::set_permissions(base.join("d/e"), PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn what_exists_is_only_replaced_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    std::fs::create_dir(base.join("d")).unwrap();
    std::fs::write(base.join("victim"), "safe").unwrap();
    std::fs::write(base.join("a"), "old").unwrap();
    symlink("victim", base.join("l")).unwrap();
    let exists = |name: &str| Err(format!("{name}: write: Attempt to overwrite existing file"));
    assert_eq!(unpack(base, false, &[file("a", "new")]), exists("a"));
    assert_eq!(unpack(base, false, &[file("l", "new")]), exists("l"));
    assert_eq!(unpack(base, false, &[link("a", "x")]), exists("a"));
    assert_eq!(unpack(base, false, &[directory("a", 0o700)]), exists("a"));
    assert_eq!(unpack(base, false, &[directory("d", 0o700)]), Ok(()));
    assert_eq!(
        unpack(base, true, &[file("a", "new"), file("l", "new")]),
        Ok(())
    );
    assert_eq!(std::fs::read_to_string(base.join("a")).unwrap(), "new");
    assert!(base.join("l").symlink_metadata().unwrap().is_file());
    assert_eq!(
        std::fs::read_to_string(base.join("victim")).unwrap(),
        "safe"
    );
    assert_eq!(unpack(base, true, &[directory("a", 0o700)]), Ok(()));
    let refused = unpack(base, true, &[file("d", "x")]);
    assert_eq!(refused, Err("d: write: Is a directory".to_owned()));
}

#[test]
fn nothing_leaves_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("in");
    let outside = folder.path().join("out");
    std::fs::create_dir(&base).unwrap();
    std::fs::create_dir(&outside).unwrap();
    for path in [
        "/x",
        "../x",
        "a/../../x",
        "a//x",
        "./x",
        "a/.",
        "..",
        ".",
        "",
        "a\0b",
        "a/",
    ] {
        let refused = unpack(&base, true, &[file(path, "x")]);
        assert_eq!(refused, Err(format!("{path}: unsafe path")), "{path:?}");
    }
    let long = format!("{}x", "a/".repeat(PATH_BYTES_MAX));
    assert!(unpack(&base, true, &[file(&long, "x")]).is_err());
    // Neither a link that was there nor one of the archive is followed.
    symlink(&outside, base.join("there")).unwrap();
    let objects = |name: &str| [file(&format!("{name}/x"), "x")];
    let refused = |name: &str| Err(format!("{name}/x: write: Not a directory"));
    assert_eq!(unpack(&base, true, &objects("there")), refused("there"));
    let mut both = vec![link("made", outside.to_str().unwrap())];
    both.extend(objects("made"));
    assert_eq!(unpack(&base, true, &both), refused("made"));
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    let refused = unpack(&base, false, &[directory("there", 0o700)]);
    let exists = "there: write: Attempt to overwrite existing file";
    assert_eq!(refused, Err(exists.to_owned()));
    assert_eq!(
        outside.metadata().unwrap().permissions().mode() & 0o777,
        0o755
    );
}

#[test]
fn a_blob_fits_its_region() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::open(folder.path(), false).unwrap();
    let region = Region(0, 4, BlobRef::of(HashKind::Sha1, b"text"));
    let object = json!({"path": "f", "mode": 0o100_600, "size": 4, "encoding": "blobvec",
        "data": [region]});
    let object = FileObject::from_json(object).unwrap();
    let growing = target.unpack(&object).unwrap().unwrap();
    let refused = growing.write(&region, b"longer").unwrap_err().to_string();
    assert_eq!(refused, "f: a blob has 6 bytes instead of 4");
    let beyond = Region(2, 4, region.2);
    assert!(growing.write(&beyond, b"text").is_err());
    growing.write(&region, b"text").unwrap();
    growing.finish().unwrap();
    assert_eq!(std::fs::read(folder.path().join("f")).unwrap(), b"text");
}

#[test]
fn what_is_no_file_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let device = json!({"path": "x", "mode": 0o20_600});
    let refused = unpack(folder.path(), true, &[device]);
    assert_eq!(refused, Err("x: unsupported file type".to_owned()));
    let empty_link = json!({"path": "l", "mode": 0o120_777});
    let refused = unpack(folder.path(), true, &[empty_link]);
    assert_eq!(refused, Err("l: unsupported file type".to_owned()));
}
