//! A host with one broken file after the other: nobody dies or hangs, and what other collectors tell stays as it was.
//!
//! Needs a tree of files as node_exporter's end-to-end test has it: `NODE_EXPORTER_TREE` names the folder that holds
//! `collector/fixtures`. `NODE_EXPORTER_FAULTS` says how many files are broken; 44 otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use openmetrics::format::{Format, encode};
use openmetrics_node_exporter::collectors;
use openmetrics_node_exporter::flags::Options;
use openmetrics_node_exporter::host::Roots;
use openmetrics_node_exporter::scrape::Node;

/// Those that read the live host, or ask somebody.
const LIVE: [&str; 16] = [
    "arp",
    "ethtool",
    "filesystem",
    "logind",
    "netdev",
    "network_route",
    "os",
    "perf",
    "qdisc",
    "selinux",
    "systemd",
    "tcpstat",
    "textfile",
    "time",
    "timex",
    "uname",
];
/// More than this many collectors do not read the same file.
const MOST_CHANGED: usize = 4;

const FAULTS: [&str; 11] = [
    "empty",
    "cut",
    "bytes",
    "not UTF-8",
    "huge",
    "negative",
    "folder",
    "loop",
    "gone",
    "no permission",
    "spaces",
];

/// What each collector tells of the tree, without how long it took.
fn pages(root: &Path) -> BTreeMap<&'static str, BTreeSet<String>> {
    let names: Vec<&'static str> =
        collectors::ALL.iter().map(|spec| spec.name).filter(|name| !LIVE.contains(name)).collect();
    let fixtures = root.join("collector/fixtures");
    let roots = Roots {
        proc: fixtures.join("proc"),
        sys: fixtures.join("sys"),
        rootfs: fixtures.clone(),
        udev: fixtures.join("udev/data"),
    };
    let node = Node::new(&Options::default(), roots, &names).expect("no flags are given");
    let mut pages = BTreeMap::new();
    for name in names {
        let selection = node.select(&[name], &[""; 0]).expect("it is on");
        let reading = node.read(&selection, Instant::now() + Duration::from_secs(120));
        assert!(reading.outcomes().all(|outcome| !outcome.late), "{name} hangs");
        let panicked = |outcome: &openmetrics_node_exporter::scrape::Outcome| {
            outcome.problems.iter().any(|problem| problem.starts_with("panicked"))
        };
        assert!(!reading.outcomes().any(panicked), "{name}: {:?}", reading.outcomes().next());
        let mut page = Vec::new();
        let _ = encode(&reading, Format::TEXT_0_0_4, &mut page);
        let page = String::from_utf8(page).expect("a page is UTF-8");
        let samples = page.lines().filter(|line| !line.starts_with('#') && !line.starts_with("node_scrape_"));
        pages.insert(name, samples.map(str::to_owned).collect());
    }
    pages
}

/// All plain files of a tree, and its links, copied; the files are returned in order.
fn copy(from: &Path, to: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(to.join(&folder)).unwrap();
        for entry in fs::read_dir(from.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let (below, kind) = (folder.join(entry.file_name()), entry.file_type().unwrap());
            if kind.is_dir() {
                folders.push(below);
            } else if kind.is_symlink() {
                symlink(fs::read_link(entry.path()).unwrap(), to.join(&below)).unwrap();
            } else {
                fs::write(to.join(&below), fs::read(entry.path()).unwrap_or_default()).unwrap();
                files.push(to.join(below));
            }
        }
    }
    files.sort();
    files
}

fn damage(path: &Path, fault: &str) {
    let text = fs::read(path).unwrap();
    let write = |bytes: &[u8]| fs::write(path, bytes).unwrap();
    let digit = text.iter().position(u8::is_ascii_digit).unwrap_or(text.len());
    let (before, after) = text.split_at(digit);
    match fault {
        "empty" => write(b""),
        "cut" => write(&text[..text.len() / 2]),
        "bytes" => {
            write(&(0..1000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>());
        }
        "not UTF-8" => write(&[before, b"\xff\xfe\xc3", after].concat()),
        "huge" => write(&[before, b"99999999999999999999999999", after].concat()),
        "negative" => write(&[before, b"-", after].concat()),
        "spaces" => write(b"   \n \n\n"),
        "no permission" => {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap(); // root reads it all the same
        }
        other => {
            fs::remove_file(path).unwrap();
            match other {
                "folder" => fs::create_dir(path).unwrap(),
                "loop" => symlink(path.file_name().unwrap(), path).unwrap(),
                _ => {}
            }
        }
    }
}

fn repair(path: &Path, text: &[u8]) {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
    fs::write(path, text).unwrap();
}

#[test]
fn one_broken_file_costs_only_itself() {
    let Some(tree) = std::env::var_os("NODE_EXPORTER_TREE") else {
        println!("note: NODE_EXPORTER_TREE names no tree of files, so none is broken");
        return;
    };
    let count = std::env::var("NODE_EXPORTER_FAULTS").ok().and_then(|count| count.parse().ok()).unwrap_or(44);
    let root = std::env::temp_dir().join(format!("node-exporter-faults-{}", std::process::id()));
    let files = copy(Path::new(&tree), &root);
    let whole = pages(&root);
    let samples: usize = whole.values().map(BTreeSet::len).sum();
    assert!(samples > 1000, "a tree of a host: {samples} samples");
    let mut lost = 0;
    for n in 0..count {
        // Steps of a prime reach all parts of the tree.
        let (path, fault) = (&files[n * 7919 % files.len()], FAULTS[n % FAULTS.len()]);
        let text = fs::read(path).unwrap();
        damage(path, fault);
        let broken = pages(&root);
        let changed: Vec<&str> = whole
            .iter()
            .filter(|(name, page)| broken.get(*name) != Some(*page))
            .map(|(name, _)| *name)
            .collect();
        assert!(changed.len() <= MOST_CHANGED, "{}: {fault} changes {changed:?}", path.display());
        lost += changed.iter().map(|name| whole[name].difference(&broken[name]).count()).sum::<usize>();
        repair(path, &text);
    }
    println!("{lost} of {} samples were lost or changed", samples * count);
    for (n, path) in files.iter().step_by(files.len() / 70).enumerate() {
        damage(path, FAULTS[n % FAULTS.len()]);
    }
    let broken = pages(&root);
    let kept: usize = whole.iter().map(|(name, page)| page.intersection(&broken[name]).count()).sum();
    println!("with 70 broken at once, {kept} of {samples} samples stay as they were");
    assert!(kept * 10 > samples * 8);
    fs::remove_dir_all(&root).unwrap();
}
