//! The pages for people in a real browser. Pictures of them are kept in `target/screenshots`.

use std::path::Path;

use xtask::peers::{Browser, Program};

fn exporter() -> Program {
    Program::start(Path::new(env!("CARGO_BIN_EXE_node-exporter")), &["--web.listen-address=127.0.0.1:0"])
}

#[test]
fn the_first_page_tells_how_the_collectors_fare() {
    let Some(browser) = Browser::find() else { return };
    let exporter = exporter();
    assert_eq!(exporter.get("/metrics", &[]).status, 200);
    let url = format!("http://{}/", exporter.address());
    let page = browser.page(&url);
    for part in [
        "<h1>node_exporter</h1>",
        "href=\"/metrics?format=html\"",
        "<td>loadavg</td><td class=\"fine\">fine</td>",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert!(page.contains(concat!("Version ", env!("CARGO_PKG_VERSION"))));
    browser.picture(&url, "node-exporter");
}

#[test]
fn the_metrics_can_be_searched() {
    let Some(browser) = Browser::find() else { return };
    let exporter = exporter();
    let url = format!("http://{}/metrics?format=html", exporter.address());
    // The words to search for may stand in the address; the script, which the policy lets through by its digest, has
    // then hidden the rest.
    let page = browser.page(&format!("{url}#node_load15"));
    let counted = page.split_once("<output>").and_then(|(_, rest)| rest.split_once("</output>"));
    let counted = counted.map(|(text, _)| text).unwrap_or_default();
    assert!(counted.starts_with("1 of ") && counted.ends_with(" families, 1 series"), "{counted}");
    assert_eq!(
        page.matches("<details ").count() - page.matches("hidden=\"\"").count(),
        1,
        "the others are hidden"
    );
    assert_eq!(page.matches("open=\"\"").count(), 1, "the one is open");
    browser.picture(&url, "node-exporter-metrics");
    browser.picture(&format!("{url}#cpu seconds mode"), "node-exporter-metrics-searched");
}

#[test]
fn pages_bring_nothing_from_elsewhere() {
    let exporter = exporter();
    for path in ["/", "/metrics?format=html"] {
        let answer = exporter.get(path, &[]);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
        assert!(
            !answer.text().contains("src=") && !answer.text().contains("//"),
            "{path} names another place"
        );
    }
}
