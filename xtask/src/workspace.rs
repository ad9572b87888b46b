//! Where the workspace is and what is in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The `cargo` that started us, in the workspace's folder.
pub(crate) fn cargo<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command.args(arguments.into_iter().map(|a| a.as_ref().to_owned()));
    command
}

/// A package of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// The features that it declares, `default` aside.
    pub(crate) features: Vec<String>,
    /// Its programs and example programs: kind (`bin` or `example`) and name.
    pub(crate) programs: Vec<(String, String)>,
}

/// The packages of the workspace, by name.
pub(crate) fn packages() -> Result<Vec<Package>, String> {
    let metadata = metadata(None)?;
    let mut packages: Vec<Package> = each(&metadata["packages"]).map(package).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

/// The programs of the package in `folder`, which is a workspace of its own.
pub(crate) fn programs_of(folder: &Path) -> Result<Vec<String>, String> {
    let metadata = metadata(Some(folder))?;
    Ok(each(&metadata["packages"]).flat_map(|p| package(p).programs).map(|(_, name)| name).collect())
}

fn package(package: &Value) -> Package {
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let features = package["features"].as_object().into_iter().flat_map(|features| features.keys());
    let programs = each(&package["targets"]).flat_map(|target| {
        let kinds = each(&target["kind"]).map(string).filter(|kind| kind == "bin" || kind == "example");
        kinds.map(|kind| (kind, string(&target["name"])))
    });
    Package {
        name: string(&package["name"]),
        folder: Path::new(&string(&package["manifest_path"])).with_file_name(""),
        features: features.filter(|feature| *feature != "default").cloned().collect(),
        programs: programs.collect(),
    }
}

fn metadata(folder: Option<&Path>) -> Result<Value, String> {
    let mut command = cargo(["metadata", "--no-deps", "--format-version=1"]);
    if let Some(folder) = folder {
        command.arg("--manifest-path").arg(folder.join("Cargo.toml"));
    }
    let output = command.output().map_err(|e| format!("cargo metadata did not start: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata printed what is no JSON: {e}"))
}

fn each(array: &Value) -> impl Iterator<Item = &Value> {
    array.as_array().into_iter().flatten()
}
