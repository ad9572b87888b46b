//! Examples that serve: asked over HTTP, and scraped by a real Prometheus.

use std::path::{Path, PathBuf};

use xtask::peers::{Options, Program, Prometheus, Protocol, Response, Version, check_metrics, get};

const OPENMETRICS: &[(&str, &str)] = &[("Accept", "application/openmetrics-text; version=1.0.0")];

/// Where cargo put a built example: beside the folder of the tests.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let built =
        test.parent().and_then(Path::parent).expect("tests are built in a folder of the target folder");
    built.join("examples").join(name)
}

/// The lines of a page about families whose names begin so.
fn lines_of(page: &Response, prefix: &str) -> String {
    let about = |line: &&str| {
        line.trim_start_matches("# HELP ")
            .trim_start_matches("# TYPE ")
            .trim_start_matches("# UNIT ")
            .starts_with(prefix)
    };
    page.text().lines().filter(about).flat_map(|line| [line, "\n"]).collect()
}

struct Quickstart {
    program: Program,
    service: String,
}

impl Quickstart {
    fn start() -> Self {
        let program =
            Program::start(&program("quickstart"), &["--listen", "127.0.0.1:0", "--service", "127.0.0.1:0"]);
        let service = program.next_address();
        Self { program, service }
    }

    fn ask(&self, path: &str) -> u16 {
        get(&self.service, path, &[]).unwrap_or_else(|e| panic!("{path}: {e}")).status
    }
}

#[test]
fn quickstart_counts_its_requests() {
    let quickstart = Quickstart::start();
    assert_eq!(
        [quickstart.ask("/hello"), quickstart.ask("/hello"), quickstart.ask("/etc/passwd")],
        [200, 200, 404]
    );
    let page = quickstart.program.get("/metrics", OPENMETRICS);
    assert_eq!(
        page.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores")
    );
    assert_eq!(
        lines_of(&page, "app_requests"),
        "# TYPE app_requests counter\n\
         # HELP app_requests Requests answered.\n\
         app_requests_total{route=\"/hello\",status=\"200\"} 2\n\
         app_requests_total{route=\"other\",status=\"404\"} 1\n\
         # TYPE app_requests_in_flight gauge\n\
         # HELP app_requests_in_flight Requests being answered now.\n\
         app_requests_in_flight 0\n"
    );
    assert!(page.text().contains("\napp_request_duration_seconds_count 3\n"), "{}", page.text());
    assert!(page.text().contains("\nprocess_start_time_seconds "), "{}", page.text());
    assert!(quickstart.program.stop(), "it does not end well");
}

#[test]
fn promtool_has_nothing_to_say_about_quickstart() {
    let quickstart = Quickstart::start();
    quickstart.ask("/hello");
    let page = quickstart.program.get("/metrics", &[]);
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let Some(said) = check_metrics(page.text()) else { return };
    assert_eq!(said, "");
}

#[test]
fn prometheus_scrapes_quickstart_as_openmetrics() {
    prometheus_scrapes_quickstart(Protocol::OpenMetrics);
}

#[test]
fn prometheus_scrapes_quickstart_as_text() {
    prometheus_scrapes_quickstart(Protocol::Text);
}

fn prometheus_scrapes_quickstart(protocol: Protocol) {
    let quickstart = Quickstart::start();
    for _ in 0..3 {
        quickstart.ask("/hello");
    }
    let options = Options { protocol, ..Options::default() };
    let Some(prometheus) = Prometheus::scraping(quickstart.program.address(), options) else { return };
    assert_eq!(prometheus.scrape(), Ok(()));
    assert_eq!(prometheus.value(r#"app_requests_total{route="/hello",status="200"}"#), "3");
    assert_eq!(prometheus.value("app_request_duration_seconds_count"), "3");
    assert_eq!(prometheus.value(r#"app_request_duration_seconds_bucket{le="+Inf"}"#), "3");
    assert_eq!(prometheus.value("app_requests_in_flight"), "0");

    let metadata = prometheus.metadata();
    let of =
        |name: &str| metadata.get(name).unwrap_or_else(|| panic!("no metadata of {name} in {metadata:#?}"));
    // Text 0.0.4 has no units, and calls a counter by its sample's name.
    let (counter, unit) = match protocol {
        Protocol::Text => ("app_requests_total", ""),
        _ => ("app_requests", "seconds"),
    };
    assert_eq!(of(counter), &["counter", "Requests answered.", ""].map(str::to_owned));
    let duration = ["histogram", "Time from a request to its answer.", unit].map(str::to_owned);
    assert_eq!(of("app_request_duration_seconds"), &duration);
    assert!(prometheus.version() >= Version(2, 0));
}

#[test]
fn a_handler_inside_hyper() {
    let service = Program::start(&program("hyper_service"), &["--listen", "127.0.0.1:0"]);
    assert_eq!(service.get("/", &[]).text(), "Hello!\n");
    assert_eq!(
        service.get("/metrics", OPENMETRICS).text(),
        "# TYPE greetings counter\n# HELP greetings Greetings given.\ngreetings_total 1\n# EOF\n"
    );
}

#[test]
fn series_end_with_what_they_are_about() {
    let jobs = Program::start(&program("series_that_end"), &["--listen", "127.0.0.1:0", "--a-second", "100"]);
    let (mut done, mut running) = (0, 0);
    for _ in 0..500 {
        let page = jobs.get("/metrics", &[]);
        let value = |line: &str| line.strip_prefix("jobs_done_total ")?.parse().ok();
        done = page.text().lines().find_map(value).unwrap_or(0);
        running = page.text().lines().filter(|line| line.starts_with("jobs_progress{")).count();
        if done >= 200 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(done >= 200, "{done} jobs done");
    assert!(running <= 200, "{running} jobs run, of which most are done");
}

#[test]
fn quickstart_under_abuse() {
    xtask::abuse::in_brief(xtask::abuse::Kind::Application, &program("quickstart"));
}

#[test]
fn axum_under_load_is_counted_exactly_and_by_route() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 50;
    let service = Program::start(&program("axum"), &["--listen", "127.0.0.1:0"]);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let service = &service;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let trace = format!("00-{:032x}-{:016x}-01", client + 1, round + 1);
                    let user = format!("/users/{}", client * ROUNDS + round);
                    assert_eq!(service.get(&user, &[("traceparent", &trace)]).text().get(..5), Some("user "));
                    assert_eq!(service.get("/", &[]).status, 200);
                    assert_eq!(service.get(&format!("/{client}/{round}.php"), &[]).status, 404);
                    if round % 10 == 0 {
                        assert_eq!(service.get("/metrics", OPENMETRICS).status, 200);
                    }
                }
            });
        }
    });
    let page = service.get("/metrics", OPENMETRICS);
    let requests = CLIENTS * ROUNDS;
    let counts: Vec<&str> = page
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("http_server_request_duration_seconds_count"))
        .map(|line| line.split(" # ").next().unwrap_or(line))
        .collect();
    let expected = [("/", 200), ("/users/{id}", 200), ("unmatched", 404)].map(|(route, status)| {
        format!("{{method=\"GET\",route=\"{route}\",status=\"{status}\"}} {requests}")
    });
    let mut counts: Vec<String> = counts.into_iter().map(str::to_owned).collect();
    counts.sort_unstable();
    assert_eq!(counts, expected);
    assert!(page.text().contains("\nhttp_server_requests_in_flight 0\n"), "{}", page.text());
    assert!(
        page.text().contains(" # {trace_id=\"0000000000000000000000000000000"),
        "exemplars are the clients' spans"
    );
    assert!(!page.text().contains(".php"));
    assert!(service.stop(), "it does not end well");
}
