//! Keeps the arrows between crates and rooms as the README draws them: who may know whom, and what may be brought in.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Rooms of the library, and the rooms that each may know.
const ROOM_ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("model", &["error"]),
    ("instrument", &["error", "model", "sync"]),
    // It makes instruments, so that `registry.counter(..)` is one line; they do not know it.
    ("registry", &["error", "model", "instrument", "sync"]),
    ("format", &["error", "model"]),
];

/// Workspace crates, and the workspace crates that each may depend on.
const CRATE_ARROWS: &[(&str, &[&str])] = &[
    ("openmetrics-sdk", &["openmetrics-derive"]),
    ("openmetrics-derive", &[]),
    ("openmetrics-exporter-toolkit", &["openmetrics-sdk"]),
    ("openmetrics-node-exporter", &["openmetrics-sdk", "openmetrics-exporter-toolkit"]),
    ("openmetrics-snmp-bridge", &["openmetrics-sdk", "openmetrics-exporter-toolkit"]),
    ("openmetrics-conformance", &["openmetrics-sdk"]), // an independent judge: never an exporter
    ("openmetrics-properties", &[]),
    ("xtask", &[]),
];

/// Crates that nothing may depend on; they may depend on anything.
const LEAVES: &[&str] = &["openmetrics-benches", "openmetrics-examples"];

/// Where HTTP stands; everybody else goes through these.
const MAY_USE_HYPER: &[&str] =
    &["openmetrics-sdk", "openmetrics-exporter-toolkit", "openmetrics-conformance", "openmetrics-examples"];

/// The Rust that crates of ours promise to build on; the others say in their manifest what they need.
const PROMISED_RUST: &[(&str, &str)] = &[("openmetrics-sdk", "1.85"), ("openmetrics-derive", "1.85")];

/// The most that the library's default features may bring.
const DEFAULT_DEPENDENCIES: usize = 10;

/// Modules that may contain `unsafe`: thread-owned cells, and scanning text with SIMD.
const UNSAFE_MODULES: usize = 2;

#[test]
fn rooms_keep_their_arrows() {
    let source = root().join("openmetrics/src");
    let rooms = rooms(&source);
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let room = room_of(&source, &file);
        let Some(&(_, allowed)) = ROOM_ARROWS.iter().find(|(name, _)| *name == room) else { continue };
        for used in crate_paths(&shipped(&read(&file))) {
            if rooms.contains(&used) && used != room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {room} uses {used}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn hyper_stands_in_the_http_room_alone() {
    let source = root().join("openmetrics/src");
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let text = shipped(&read(&file));
        if room_of(&source, &file) != "http" && ["hyper::", "hyper_util::"].iter().any(|w| text.contains(w)) {
            wrong.push(file.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "hyper is used outside openmetrics/src/http:\n{}", wrong.join("\n"));
}

#[test]
fn crates_keep_their_arrows() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(Package::name).collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package.name();
        let used: Vec<&str> = package.dependencies().filter(|d| ours.contains(d)).collect();
        if let Some(&(_, allowed)) = CRATE_ARROWS.iter().find(|(n, _)| *n == name) {
            wrong.extend(used.iter().filter(|d| !allowed.contains(d)).map(|d| format!("{name} uses {d}")));
        } else if !LEAVES.contains(&name) {
            wrong.push(format!("{name} has no arrows in this test; add them"));
        }
        wrong.extend(used.iter().filter(|d| LEAVES.contains(d)).map(|d| format!("{name} uses the leaf {d}")));
        if !MAY_USE_HYPER.contains(&name) && package.dependencies().any(|d| d.starts_with("hyper")) {
            wrong.push(format!("{name} uses hyper; that is for {}", MAY_USE_HYPER.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn default_features_bring_few_crates_no_runtime_and_no_c() {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--package=openmetrics-sdk",
        "--edges=normal,build",
        "--prefix=none",
        "--format={p}",
    ]);
    let tree = String::from_utf8(tree).expect("cargo prints UTF-8");
    let brought: BTreeSet<&str> = tree
        .lines()
        .filter_map(|l| l.split(' ').next())
        .filter(|n| !n.is_empty() && *n != "openmetrics-sdk")
        .collect();
    assert!(
        brought.len() <= DEFAULT_DEPENDENCIES,
        "{} crates, more than {DEFAULT_DEPENDENCIES}: {brought:?}",
        brought.len()
    );
    for unwanted in ["tokio", "async-std", "smol", "hyper", "cc", "cmake", "bindgen", "pkg-config"] {
        assert!(!brought.contains(unwanted), "the default features bring {unwanted}");
    }
    let c: Vec<_> = brought.iter().filter(|name| name.ends_with("-sys")).collect();
    assert!(c.is_empty(), "the default features bring C: {c:?}");
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    let mut wrong = Vec::new();
    for package in packages() {
        let manifest = read(&package.folder().join("Cargo.toml"));
        if !manifest.contains("[lints]\nworkspace = true") {
            wrong.push(package.name().to_owned());
        }
    }
    assert!(wrong.is_empty(), "without `[lints] workspace = true`: {}", wrong.join(", "));
}

#[test]
fn unsafe_stays_in_its_modules() {
    let found: Vec<String> = packages()
        .iter()
        .flat_map(|package| rust_files(&package.folder().join("src")))
        .filter(|file| {
            read(file).lines().any(|l| l.trim_start().starts_with('#') && l.contains("allow(unsafe_code"))
        })
        .map(|file| file.display().to_string())
        .collect();
    assert!(
        found.len() <= UNSAFE_MODULES,
        "unsafe is allowed in {} modules:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Not a build on that version, which needs it installed, but what would break it first: a dependency that asks for more.
#[test]
fn dependencies_build_on_the_rust_that_is_promised() {
    let metadata = metadata(&["--all-features"]);
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let by_id = |id: &str| packages.iter().find(|p| p["id"] == id).expect("a node is a package");
    let nodes = metadata["resolve"]["nodes"].as_array().expect("cargo metadata resolves");
    let members = metadata["workspace_members"].as_array().expect("a workspace has members");
    let mut wrong = Vec::new();
    for member in members.iter().filter_map(Value::as_str) {
        let name = by_id(member)["name"].as_str().unwrap_or_default();
        let promise = PROMISED_RUST.iter().find(|(n, _)| *n == name).map(|(_, rust)| *rust);
        let declared = by_id(member)["rust_version"].as_str();
        if promise.is_some() && promise != declared {
            wrong.push(format!("{name} promises Rust {promise:?} and declares {declared:?}"));
        }
        let Some(declared) = declared else { continue };
        for id in reachable(nodes, member) {
            match by_id(id)["rust_version"].as_str() {
                Some(asked) if version(asked) > version(declared) => {
                    let dependency = &by_id(id)["name"];
                    wrong.push(format!("{name} declares Rust {declared}, but {dependency} asks for {asked}"));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A package and everything that it is built from, tests aside.
fn reachable<'a>(nodes: &'a [Value], root: &'a str) -> BTreeSet<&'a str> {
    let (mut open, mut seen) = (vec![root], BTreeSet::new());
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = nodes.iter().find(|n| n["id"] == id).expect("a package is a node");
        for dependency in node["deps"].as_array().into_iter().flatten() {
            let mut kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
            if kinds.any(|k| k["kind"] != "dev") {
                open.extend(dependency["pkg"].as_str());
            }
        }
    }
    seen
}

#[test]
fn the_test_itself_sees_arrows() {
    let source = "
        //! Not an arrow: `crate::format`.
        use crate::{Error, model::{Labels, format_of}, registry};
        use super::super::text;
        fn f() { $crate::instrument::g(); }
        #[cfg(test)]
        mod tests { use crate::http; }";
    assert_eq!(crate_paths(&shipped(source)), ["Error", "model", "registry", "instrument"]);
    assert!(version("1.85") < version("1.85.1") && version("1.9") < version("1.85"));
}

// -- reading sources

/// Source as it ships: without comments and without the tests, which stand last and may use everything.
fn shipped(source: &str) -> String {
    let code: Vec<&str> = source
        .lines()
        .take_while(|line| {
            !["#[cfg(test)]", "#[cfg(all(test,"].iter().any(|tests| line.trim().starts_with(tests))
        })
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    code.join("\n")
}

/// The first segment of every path that begins with `crate::`, groups taken apart.
fn crate_paths(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for after in source.split("crate::").skip(1) {
        let Some(group) = after.strip_prefix('{') else {
            found.push(identifier(after));
            continue;
        };
        let mut depth = 0_u32;
        let mut first = true; // at the beginning of an item of the outermost group
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => first = true,
                c if first && !c.is_whitespace() => {
                    found.push(identifier(&group[at..]));
                    first = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The room a file belongs to: `model` for `model/name.rs` and for `model.rs`.
fn room_of(source: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(source).expect("the file is in the source folder");
    let first = inside.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}

fn rooms(source: &Path) -> BTreeSet<String> {
    rust_files(source).iter().map(|file| room_of(source, file)).filter(|room| room != "lib").collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|e| e.expect("the folder can be read").path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

// -- asking cargo

struct Package(Value);

impl Package {
    fn name(&self) -> &str {
        self.0["name"].as_str().unwrap_or_default()
    }
    fn folder(&self) -> PathBuf {
        let manifest = Path::new(self.0["manifest_path"].as_str().unwrap_or_default());
        manifest.parent().expect("a manifest is in a folder").to_owned()
    }
    /// What it needs to be built and run; tests may bring more.
    fn dependencies(&self) -> impl Iterator<Item = &str> {
        let all = self.0["dependencies"].as_array().into_iter().flatten();
        all.filter(|d| d["kind"] != "dev").filter_map(|d| d["name"].as_str())
    }
}

fn packages() -> Vec<Package> {
    let metadata = metadata(&["--no-deps"]);
    metadata["packages"].as_array().into_iter().flatten().cloned().map(Package).collect()
}

fn metadata(arguments: &[&str]) -> Value {
    let output = cargo(&[&["metadata", "--locked", "--format-version=1"], arguments].concat());
    serde_json::from_slice(&output).expect("cargo metadata prints JSON")
}

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo starts");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace")
}

/// `1.85` as `[1, 85, 0]`
fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}
