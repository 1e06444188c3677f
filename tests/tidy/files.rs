//! Every file is part of a crate.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use proc_macro2::TokenStream;
use serde_json::Value;

use crate::tokens::{self, Module};
use crate::{nothing_wrong, root};

/// The folders that hold Rust.
const FOLDERS: [&str; 4] = ["src", "tests", "examples", "benches"];

/// A file as a module of a crate.
#[derive(Debug, Clone)]
pub struct File {
    /// From the top of the tree, with `/`.
    pub path: String,
    /// `crate`, then the modules down to it.
    pub module: Vec<String>,
    pub tests_only: bool,
}

impl File {
    pub fn tokens(&self) -> TokenStream {
        parsed(&self.path)
    }
}

pub fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

pub fn parsed(path: &str) -> TokenStream {
    (text(path).parse()).unwrap_or_else(|error| panic!("{path}: it is no Rust: {error}"))
}

/// All Rust files of the tree, in order.
pub fn all() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.insert(shown(&path));
            }
        }
    }
    found
}

fn shown(path: &Path) -> String {
    let parts = path.strip_prefix(root()).unwrap().components();
    let parts: Vec<&str> = parts
        .map(|part| part.as_os_str().to_str().unwrap())
        .collect();
    parts.join("/")
}

/// A path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.strip_prefix(root()).unwrap().components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    root().join(plain)
}

/// All packages of the workspace, as cargo knows them.
pub fn metadata() -> &'static Value {
    static KNOWN: OnceLock<Value> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let args = [
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ];
        let output = Command::new(cargo)
            .args(args)
            .current_dir(root())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    })
}

/// The targets of all packages: libraries, programs, tests, benchmarks, examples.
fn targets() -> impl Iterator<Item = &'static Value> {
    let packages = metadata()["packages"].as_array().unwrap().iter();
    packages.flat_map(|package| package["targets"].as_array().unwrap())
}

/// The root file of a target, from the top of the tree.
fn root_of(target: &Value) -> String {
    let top = Path::new(metadata()["workspace_root"].as_str().unwrap());
    let path = Path::new(target["src_path"].as_str().unwrap());
    shown(&root().join(path.strip_prefix(top).unwrap()))
}

/// The libraries by their names in Rust, with their root files.
pub fn libraries() -> BTreeMap<String, String> {
    let is_library = |target: &&Value| target["kind"][0] == "lib";
    let named = |target: &Value| (target["name"].as_str().unwrap().to_owned(), root_of(target));
    targets().filter(is_library).map(named).collect()
}

/// The files of each crate, by its root, in the order in which `mod` leads to them.
pub fn crates() -> &'static BTreeMap<String, Vec<File>> {
    static CRATES: OnceLock<BTreeMap<String, Vec<File>>> = OnceLock::new();
    CRATES.get_or_init(|| {
        let files = |path: String| {
            let root = root().join(&path);
            let mut files = Vec::new();
            let folder = root.parent().unwrap().to_owned();
            follow(&root, &folder, &["crate".to_owned()], false, &mut files);
            (path, files)
        };
        targets().map(root_of).map(files).collect()
    })
}

/// `folder`: where the modules are that the file declares.
fn follow(file: &Path, folder: &Path, module: &[String], tests_only: bool, files: &mut Vec<File>) {
    let path = shown(file);
    let tokens = parsed(&path);
    files.push(File {
        path,
        module: module.to_vec(),
        tests_only,
    });
    let beside = file.parent().unwrap();
    declared(
        tokens::modules(tokens),
        beside,
        folder,
        module,
        tests_only,
        files,
    );
}

fn declared(
    modules: Vec<Module>,
    beside: &Path,
    folder: &Path,
    module: &[String],
    tests_only: bool,
    files: &mut Vec<File>,
) {
    for declared in modules {
        let mut module = module.to_vec();
        module.push(declared.name.clone());
        let tests_only = tests_only || declared.tests_only;
        let inner = folder.join(&declared.name);
        if let Some(content) = declared.content {
            self::declared(
                tokens::modules(content),
                &inner,
                &inner,
                &module,
                tests_only,
                files,
            );
        } else if let Some(file) = declared.file {
            let file = plain(&beside.join(file));
            let folder = file.parent().unwrap().to_owned();
            follow(&file, &folder, &module, tests_only, files);
        } else {
            let file = folder.join(format!("{}.rs", declared.name));
            let file = if file.exists() {
                file
            } else {
                inner.join("mod.rs")
            };
            follow(&file, &inner, &module, tests_only, files);
        }
    }
}

#[test]
fn every_file_is_a_module_of_a_crate() {
    let mut reached: BTreeSet<&String> = BTreeSet::new();
    for files in crates().values() {
        reached.extend(files.iter().map(|file| &file.path));
    }
    let orphans = all().into_iter().filter(|path| !reached.contains(path));
    let faults: Vec<String> = orphans
        .map(|path| {
            format!("{path}:1: no `mod` leads here from the root of a crate, so nobody compiles it")
        })
        .collect();
    nothing_wrong(
        &faults,
        "a file is a module of a crate. Declare it with `mod`, or delete it.",
    );
}
