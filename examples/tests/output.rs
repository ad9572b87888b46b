//! Runs every example that ends by itself, and compares what it prints with what its last lines promise.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The line after which an example says what it prints.
const PROMISE: &str = "\n// Output:\n";

#[test]
fn examples_print_what_they_promise() {
    let mut wrong = Vec::new();
    let mut ran = 0;
    for (name, source) in sources() {
        let Some((_, promise)) = source.split_once(PROMISE) else { continue };
        let uncommented =
            |line: &'_ str| line.strip_prefix("// ").or(line.strip_prefix("//")).map(str::to_owned);
        let promised: String =
            promise.lines().filter_map(uncommented).flat_map(|l| [l, "\n".to_owned()]).collect();
        let output = Command::new(program(&name)).output().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).expect("examples print text");
        ran += 1;
        if printed != promised {
            wrong.push(format!("{name} promises\n{promised}\nand prints\n{printed}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(ran > 0, "no example promises an output");
}

#[test]
fn every_example_is_tested() {
    let tests = fs::read_to_string(folder().join("tests/serving.rs")).expect("the other tests are there");
    let forgotten: Vec<String> = sources()
        .into_iter()
        .filter(|(name, source)| !source.contains(PROMISE) && !tests.contains(&format!("\"{name}\"")))
        .map(|(name, _)| name)
        .collect();
    assert!(
        forgotten.is_empty(),
        "neither an output to compare nor a test in serving.rs: {}",
        forgotten.join(", ")
    );
}

/// Name and source of each example.
fn sources() -> BTreeMap<String, String> {
    let files = fs::read_dir(folder()).expect("the folder of the examples can be read");
    let files = files.map(|entry| entry.expect("its entries can be read").path());
    files
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| {
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        })
        .collect()
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo put a built example: beside the folder of the tests.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let built =
        test.parent().and_then(Path::parent).expect("tests are built in a folder of the target folder");
    built.join("examples").join(name)
}
