//! Finds the library by pkg-config, or builds it from the sources that this crate lies beside. COVE_BUILD=1 always builds.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says to Cargo what `pkg-config` says of an installed library that is new enough.
fn find() -> bool {
    let Ok(output) = Command::new("pkg-config").args(["--libs", "--cflags", "cove >= 0.1"]).output() else {
        return false;
    };
    if !output.status.success() {
        return false;
    }
    for word in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(directory) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={directory}");
        } else if let Some(directory) = word.strip_prefix("-I") {
            println!("cargo:include={directory}");
        } else if let Some(library) = word.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={library}");
        }
    }
    true
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}; install Cove, or build from a checkout", directory.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "c") && !path.to_string_lossy().ends_with("_test.c") {
            found.push(path);
        }
    }
}

fn run(program: &OsString, arguments: &[OsString]) {
    let status = Command::new(program).args(arguments).status().unwrap_or_else(|e| panic!("{}: {e}", program.to_string_lossy()));
    assert!(status.success(), "{} failed", program.to_string_lossy());
}

/// One object of each source, and an archive of them: the library needs the C library and the kernel only.
fn build() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let archive = out.join("libcove.a");
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    files.sort();
    let _ = std::fs::remove_file(&archive);
    let mut objects: Vec<OsString> = vec!["crs".into(), archive.into()];
    for file in &files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace(['/', '.'], "_");
        let object = out.join(name + ".o");
        let mut arguments: Vec<OsString> =
            ["-std=c11", "-O2", "-g", "-fPIC", "-fvisibility=hidden", "-D_FILE_OFFSET_BITS=64", "-pthread", "-c"].map(Into::into).to_vec();
        for include in ["include", "src"] {
            arguments.push("-I".into());
            arguments.push(root.join(include).into());
        }
        arguments.extend([file.into(), "-o".into(), object.clone().into()]);
        run(&compiler, &arguments);
        objects.push(object.into());
    }
    run(&env::var_os("AR").unwrap_or_else(|| "ar".into()), &objects);
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=cove");
    println!("cargo:include={}", root.join("include").display());
    println!("cargo:rerun-if-changed={}", root.join("src").display());
    println!("cargo:rerun-if-changed={}", root.join("include").display());
}

fn main() {
    println!("cargo:rerun-if-env-changed=COVE_BUILD");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("COVE_BUILD").is_some() || !find() {
        build();
    }
}
