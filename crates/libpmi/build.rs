//! Names the library as programs that are linked with it look for it, and makes it found under
//! that name in a build tree.

use std::os::unix::fs::symlink;
use std::path::Path;

const FILE: &str = "libpmi.so";
const SONAME: &str = "libpmi.so.0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    // OUT_DIR is PROFILE/build/NAME-HASH/out, and the library becomes PROFILE/FILE.
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    if let Some(folder) = Path::new(&out).ancestors().nth(3) {
        let link = folder.join(SONAME);
        if link.symlink_metadata().is_err() {
            symlink(FILE, link).unwrap_or_else(|error| println!("cargo:warning={SONAME}: {error}"));
        }
    }
}
