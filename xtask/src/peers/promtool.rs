//! promtool, which comes with Prometheus.

use std::io::Write;
use std::process::{Command, Stdio};

use super::find;

/// What `promtool check metrics` says about a text exposition (version 0.0.4): nothing if all is well.
/// `None` if there is no promtool, see [`find`].
///
/// # Panics
///
/// When promtool does not run.
pub fn check_metrics(exposition: &str) -> Option<String> {
    let mut child = Command::new(find("promtool")?)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(exposition.as_bytes()).expect("promtool reads all of its input");
    }
    let output = child.wait_with_output().expect("promtool ends");
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    if said.is_empty() && !output.status.success() {
        said = format!("promtool ended with {}", output.status);
    }
    Some(said)
}
