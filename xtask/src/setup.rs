//! Brings what the tests need: on Debian, the packages of the peers.

use std::path::Path;
use std::process::{Command, Stdio};

use xtask::peers::{self, PEERS, Peer};

use crate::steps;

/// Installs packages without starting the services in them: a scrape target on a developer's machine is not ours to
/// open. `policy-rc.d` is Debian's way to say so; one that is there already stays.
const INSTALL: &str = r#"
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then printf '#!/bin/sh\nexit 101\n' > "$guard" && chmod +x "$guard" && made=yes; fi
apt-get -qq update && apt-get -qq install --yes --no-install-recommends "$@" >/dev/null
result=$?
[ -z "${made:-}" ] || rm -f "$guard"
exit "$result"
"#;

pub(crate) const HELP: &str = "\
Brings what the tests need. On Debian, as root or with a sudo that asks for no password, it installs the packages of the
peers that are missing; services in them are not started. Elsewhere it says what is missing.

Usage: cargo xtask setup
";

pub(crate) fn run() -> Result<(), String> {
    let missing = install_peers();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|p| p.program).collect();
    Err(format!("not available: {}", names.join(", ")))
}

/// Installs the peers that are missing, where that is possible, and returns those that are still missing. Says
/// what it does and what it leaves out.
pub(crate) fn install_peers() -> Vec<&'static Peer> {
    let missing = missing();
    if missing.is_empty() {
        println!("    every peer is here: {}", list(PEERS.iter().map(|p| p.program)));
        return missing;
    }
    println!("    missing: {}", list(missing.iter().map(|p| p.program)));
    if let Err(reason) = install(&missing) {
        println!("    not installed: {reason}");
    }
    let missing = self::missing();
    for peer in &missing {
        println!("    left out: {} from package {}; it {}", peer.program, peer.package, peer.purpose);
    }
    missing
}

fn missing() -> Vec<&'static Peer> {
    PEERS.iter().filter(|peer| peers::on_path(peer.program).is_none()).collect()
}

fn install(missing: &[&Peer]) -> Result<(), String> {
    if !Path::new("/etc/debian_version").exists() {
        return Err("this is no Debian; install them by hand to have their tests run".to_owned());
    }
    let Some(mut command) = as_root() else {
        return Err("that needs root or a sudo that asks for no password".to_owned());
    };
    let mut packages: Vec<&str> = missing.iter().map(|p| p.package).collect();
    packages.sort_unstable();
    packages.dedup();
    println!("    apt-get install {}", packages.join(" "));
    command.args(["sh", "-c", INSTALL, "install"]).args(&packages).stdin(Stdio::null());
    steps::run_quietly(&mut command)
}

/// `env`, as root, ready for the command to run: directly, or through a sudo that asks for nothing.
fn as_root() -> Option<Command> {
    let succeeds = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).stdin(Stdio::null()).output().is_ok_and(|o| o.status.success())
    };
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    let mut command = if is_root {
        Command::new("env")
    } else if succeeds("sudo", &["-n", "true"]) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    } else {
        return None;
    };
    command.arg("DEBIAN_FRONTEND=noninteractive");
    Some(command)
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
