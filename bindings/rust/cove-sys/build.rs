//! Finds the library by pkg-config, or builds it from the sources that this crate lies beside. COVE_BUILD=1 always builds.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One value of the installed library's.
fn ask(arguments: &[&str]) -> Option<String> {
    let output = Command::new("pkg-config").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether the program is for another machine than this.
fn is_cross() -> bool {
    env::var_os("TARGET") != env::var_os("HOST")
}

/// Says to Cargo where an installed library is whose structs are those of this crate. One of this machine's is no use for another.
fn find() -> bool {
    if is_cross() && env::var_os("PKG_CONFIG_ALLOW_CROSS").is_none() && env::var_os("PKG_CONFIG_SYSROOT_DIR").is_none() {
        return false;
    }
    if ask(&["--exists", "cove >= 0.1 cove < 0.2"]).is_none() {
        return false;
    }
    let (Some(libraries), Some(headers)) = (ask(&["--variable=libdir", "cove"]), ask(&["--variable=includedir", "cove"])) else {
        return false;
    };
    println!("cargo:rustc-link-search=native={libraries}");
    println!("cargo:rustc-link-lib=cove");
    println!("cargo:include={headers}");
    println!("cargo:rerun-if-changed={libraries}/pkgconfig/cove.pc");
    true
}

/// A tool of the C compiler's, with its first arguments: of the target's where that is another machine.
fn tool(variable: &str, name: &str) -> Vec<OsString> {
    let target = env::var("TARGET").unwrap().replace('-', "_");
    for candidate in [format!("{variable}_{target}"), format!("TARGET_{variable}"), variable.to_owned()] {
        println!("cargo:rerun-if-env-changed={candidate}");
        if let Ok(words) = env::var(&candidate) {
            return words.split_whitespace().map(Into::into).collect();
        }
    }
    if is_cross() {
        let triple = env::var("TARGET").unwrap().replace("-unknown-", "-");
        return vec![format!("{triple}-{}", if name == "cc" { "gcc" } else { name }).into()];
    }
    vec![name.into()]
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

fn run(tool: &[OsString], arguments: &[OsString]) {
    let name = tool[0].to_string_lossy();
    let status = Command::new(&tool[0]).args(&tool[1..]).args(arguments).status().unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(status.success(), "{name} failed");
}

/// One object of each source, and an archive of them: the library needs the C library and the kernel only.
fn build() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let compiler = tool("CC", "cc");
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
    run(&tool("AR", "ar"), &objects);
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=cove");
    println!("cargo:include={}", root.join("include").display());
    println!("cargo:rerun-if-changed={}", root.join("src").display());
    println!("cargo:rerun-if-changed={}", root.join("include").display());
}

fn main() {
    println!("cargo:rerun-if-env-changed=COVE_BUILD");
    for variable in ["PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR", "PKG_CONFIG_ALLOW_CROSS"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("COVE_BUILD").is_ok_and(|v| v == "1") || !find() {
        build();
    }
}
