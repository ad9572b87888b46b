//! An endpoint as HTTP: what it answers to whom, whether all answers agree, and what time changes.
//!
//! Everything here works on [`Ask`]s and [`Answer`]s; sockets are behind [`Transport`], which a test replaces by a
//! function. `variants` says what is asked, `response` judges one answer, `media` reads `Content-Type`, `series`
//! compares expositions of different formats. What stands in the bodies is judged as files are.

mod media;
mod response;
mod series;
#[cfg(test)]
mod tests;
mod variants;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openmetrics::model::{MetricSet, Timestamp};

use crate::config::Config;
use crate::exchange::{Answer, Ask, Transport};
use crate::finding::{Finding, Verdict};
use crate::judge::{self, Scrape};
use crate::looks::Findings;
use crate::render::Judged;
use crate::rules;
use crate::subject::{Spec, Subject};
use media::Kind;

/// How an endpoint is probed.
pub(crate) struct Plan<'a> {
    /// The address, for reports and for what its parts say.
    pub(crate) address: &'a str,
    /// Scrapes apart in time.
    pub(crate) count: u32,
    /// The time between them.
    pub(crate) interval: Duration,
    /// Scrapes at the same time.
    pub(crate) parallel: usize,
    /// Whether the endpoint offers TLS 1.3; `None` where there is no TLS or nobody looked.
    pub(crate) tls13: Option<bool>,
    /// Waits; a test does not.
    pub(crate) wait: &'a dyn Fn(Duration),
    /// Says how far it is.
    pub(crate) progress: &'a dyn Fn(&str),
}

/// What a probe found, and what it saw.
pub(crate) struct Probed {
    /// The endpoint itself, then one exposition of each format, then the scrapes apart in time.
    pub(crate) judged: Vec<Judged>,
    /// In a few words, for people.
    pub(crate) summary: String,
}

/// A finding of the rule with this id; of an endpoint there is no line to show.
fn finding(id: &'static str, message: String) -> Finding {
    Finding::new(rules::find(id).expect("the tables have every rule that is named in this module"), message)
}

/// Asks an endpoint all there is to ask. An error is one that leaves nothing to judge.
pub(crate) fn run(
    transport: &dyn Transport,
    plan: &Plan<'_>,
    config: &Config,
    cap: usize,
) -> Result<Probed, String> {
    let mut probe = Probe { transport, plan, found: Vec::new(), asked: 0, slowest: Duration::ZERO };
    let first = probe.ask(&Ask::get("the first request"))?;
    if matches!(first.status, 401 | 403) {
        let advice = "give --username and --password-file, or --bearer-file";
        return Err(format!("the answer is status {}: {advice}", first.status));
    }
    probe.address();
    let bodies = probe.formats()?;
    probe.variants(&bodies);
    probe.methods(&first);
    probe.parallel(&bodies);
    probe.same_series(&bodies);
    let scrapes = probe.over_time(&bodies, cap, config);
    let Probe { mut found, asked, slowest, .. } = probe;
    // The same mistake in many answers is one mistake.
    let mut told = BTreeSet::new();
    found.retain(|finding| told.insert((finding.rule.id, mistake(&finding.message).to_owned())));
    found.retain(|finding| !config.ignores(finding));
    let formats: Vec<&str> = bodies.iter().map(|body| body.kind.title()).collect();
    let formats = if formats.is_empty() { "none".to_owned() } else { formats.join(", ") };
    let summary = format!("{asked} requests, the slowest {} ms; formats: {formats}", slowest.as_millis());
    let spec = bodies.first().map_or(Spec::Prometheus, |body| body.kind.spec());
    let mut judged = vec![Judged {
        file: plan.address.to_owned(),
        bytes: Vec::new(),
        verdict: Verdict::new(spec, true, found, Vec::new(), cap),
    }];
    let has_openmetrics = bodies.iter().any(|body| body.kind == Kind::OpenMetrics1);
    for body in bodies {
        if body.kind == Kind::OpenMetrics0 && has_openmetrics {
            continue; // the same page under its older name
        }
        let name = format!("{} ({})", plan.address, body.kind.title());
        let subject = Subject { name, bytes: body.bytes, spec: body.kind.spec() };
        judged.push(judge::one(subject, config, cap));
    }
    judged.extend(scrapes);
    Ok(Probed { judged, summary })
}

/// What is said of a mistake before whose answer it is in: `... in the answer to Prometheus 3`.
fn mistake(message: &str) -> &str {
    message.split("the answer to ").next().unwrap_or(message)
}

/// An exposition in one format.
struct Body {
    kind: Kind,
    accept: &'static str,
    bytes: Vec<u8>,
    series: BTreeSet<String>,
}

struct Probe<'a> {
    transport: &'a dyn Transport,
    plan: &'a Plan<'a>,
    found: Vec<Finding>,
    asked: u32,
    slowest: Duration,
}

impl Probe<'_> {
    fn find(&mut self, rule: &'static str, message: impl Into<String>) {
        self.found.push(finding(rule, message.into()));
    }

    fn ask(&mut self, ask: &Ask) -> Result<Answer, String> {
        self.asked += 1;
        (self.plan.progress)(&format!("request {}: {}", self.asked, ask.who));
        let answer = self.transport.send(ask)?;
        self.slowest = self.slowest.max(answer.took);
        Ok(answer)
    }

    /// Asks; no answer at all is a finding.
    fn try_ask(&mut self, ask: &Ask, rule: &'static str) -> Option<Answer> {
        match self.ask(ask) {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.find(rule, format!("no answer to {}: {error}", ask.who));
                None
            }
        }
    }

    /// What the address itself shows.
    fn address(&mut self) {
        let address = self.plan.address;
        let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let path = path.split(['?', '#']).next().unwrap_or_default();
        if path != "/metrics" {
            self.find("OM1-HTTP-02", format!("the path is `{path}`, not `/metrics`"));
        }
        let host = host.rsplit('@').next().unwrap_or(host);
        let is_local = ["127.", "localhost", "[::1]"].iter().any(|start| host.starts_with(start));
        if scheme.eq_ignore_ascii_case("http") && !is_local {
            self.find("OM1-HTTP-06", "the address is http://, so whoever shares the network reads along");
        }
        if self.plan.tls13 == Some(false) {
            self.find("OM2-DOC-04", "TLS 1.3 is not offered");
        }
    }

    /// Asks for each format alone. Gives one exposition of each that is supported.
    fn formats(&mut self) -> Result<Vec<Body>, String> {
        let mut bodies: Vec<Body> = Vec::new();
        for (kind, accept) in variants::ALONE {
            let ask = Ask::get(kind.title()).accepting(accept);
            let answer = self.ask(&ask)?;
            if response::judge(&ask, &answer, &mut self.found) != Some(kind) {
                continue;
            }
            let Ok(bytes) = answer.plain_body() else { continue };
            let bytes = bytes.into_owned();
            let series = series::of(&judge::read(&bytes, kind.spec()));
            bodies.push(Body { kind, accept, bytes, series });
        }
        Ok(bodies)
    }

    /// Every `Accept` header that scrapers send, and some that they could.
    fn variants(&mut self, bodies: &[Body]) {
        let supports = |kind: Kind| kind == Kind::Text0 || bodies.iter().any(|body| body.kind == kind);
        for variant in variants::all() {
            let (who, rule) = (variant.ask.who, variant.rule);
            let Some(answer) = self.try_ask(&variant.ask, "OM1-HTTP-01") else { continue };
            if answer.status != 200 && rule == "CN-02" {
                self.find(rule, format!("{who} gets status {}; it should get text 0.0.4", answer.status));
                continue;
            }
            let Some(kind) = response::judge(&variant.ask, &answer, &mut self.found) else { continue };
            if variant.prefers.is_empty() {
                self.unasked(who, kind);
                continue;
            }
            let wanted = variant.prefers.iter().copied().find(|&kind| supports(kind));
            if let Some(wanted) = wanted.filter(|&wanted| wanted != kind) {
                let message = format!("{who} should get {} and gets {}", wanted.title(), kind.title());
                if rule == "CN-01" && !variant.prefers.contains(&kind) {
                    self.find("CN-07", message.clone());
                }
                self.find(rule, message);
            }
            self.names(&variant.ask, kind, &answer);
        }
        for ask in variants::headers_only() {
            let Some(answer) = self.try_ask(&ask, "OM1-HTTP-01") else { continue };
            // To refuse what is no list of formats is fine.
            if answer.status != 400 {
                response::judge(&ask, &answer, &mut self.found);
            }
        }
    }

    /// What comes when nothing was chosen: text, and none of the draft.
    fn unasked(&mut self, who: &str, kind: Kind) {
        let message = format!("{who} gets {}, which was not asked for", kind.title());
        match kind {
            Kind::PrometheusProtobuf | Kind::OpenMetricsProtobuf => {
                self.find("OM1-HTTP-04", message.clone());
                self.find("OM1-HTTP-03", message);
            }
            Kind::OpenMetrics2 => self.find("OM1-HTTP-05", message),
            Kind::Text1 => self.find("CN-02", message),
            Kind::Text0 | Kind::OpenMetrics0 | Kind::OpenMetrics1 => {}
        }
    }

    /// Names outside the classic grammar are for those who asked for them.
    fn names(&mut self, ask: &Ask, kind: Kind, answer: &Answer) {
        if ask.accept.as_deref().is_some_and(|accept| accept.contains("allow-utf-8")) || !kind.is_text() {
            return;
        }
        let Ok(bytes) = answer.plain_body() else { return };
        let set = judge::read(&bytes, kind.spec());
        let foreign = set.families.iter().find(|family| !family.descriptor.name().is_classic());
        if let Some(family) = foreign {
            let name = family.descriptor.name();
            let message = format!(
                "`{name}` is not escaped, though nobody asked for that, in the answer to {}",
                ask.who
            );
            self.find("ESC-02", message);
        }
    }

    /// HEAD, and methods that have no business here.
    fn methods(&mut self, get: &Answer) {
        if let Some(head) = self.try_ask(&Ask::method("HEAD", "HEAD"), "LINT-13") {
            if head.status != get.status {
                self.find("LINT-13", format!("HEAD gets status {}, GET {}", head.status, get.status));
            } else if head.header("content-type") != get.header("content-type") {
                self.find("LINT-13", "HEAD gets another Content-Type than GET");
            }
        }
        for method in ["POST", "PUT", "DELETE", "OMTOOL"] {
            let Some(answer) = self.try_ask(&Ask::method(method, method), "LINT-14") else { continue };
            if answer.status == 200 || answer.status >= 500 && answer.status != 501 {
                self.find("LINT-14", format!("{method} gets status {}; 405 is usual", answer.status));
            }
        }
    }

    /// Several scrapers at once.
    fn parallel(&mut self, bodies: &[Body]) {
        let Some(body) = bodies.first() else { return };
        let count = self.plan.parallel;
        (self.plan.progress)(&format!("{count} scrapes at once"));
        let ask = Ask::get("one of several scrapes at once").accepting(body.accept);
        let transport = self.transport;
        let answers: Vec<Result<Answer, String>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..count).map(|_| scope.spawn(|| transport.send(&ask))).collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.map(|joined| joined.unwrap_or_else(|_| Err("the request panicked".to_owned()))).collect()
        });
        self.asked = self.asked.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        for answer in answers {
            let trouble = match answer {
                Err(error) => format!("no answer: {error}"),
                Ok(answer) if answer.status != 200 => format!("status {}", answer.status),
                Ok(answer) => {
                    self.slowest = self.slowest.max(answer.took);
                    if answer.plain_body().is_ok_and(|bytes| is_whole(body.kind, &bytes)) {
                        continue;
                    }
                    "a body that cannot be read".to_owned()
                }
            };
            self.find("OM1-HTTP-08", format!("of {count} scrapes at once one gets {trouble}"));
        }
    }

    /// All formats carry the same series. Series come and go, so those count that were there before and after.
    fn same_series(&mut self, bodies: &[Body]) {
        let Some((first, others)) = bodies.split_first() else { return };
        let ask = Ask::get("the first format again").accepting(first.accept);
        let Some(answer) = self.try_ask(&ask, "OM1-HTTP-01") else { return };
        let Ok(bytes) = answer.plain_body() else { return };
        let after = series::of(&judge::read(&bytes, first.kind.spec()));
        let title = first.kind.title();
        for other in others {
            let mut missing =
                first.series.intersection(&after).filter(|series| !other.series.contains(*series));
            if let Some(one) = missing.next() {
                let more = match missing.count() {
                    0 => String::new(),
                    n => format!(" (and {n} more)"),
                };
                self.find(
                    "OM1-HTTP-09",
                    format!("{one}{more} is in {title} and not in {}", other.kind.title()),
                );
            }
        }
        // And the other way: what all others have is missing in the first.
        let Some((second, rest)) = others.split_first().filter(|(_, rest)| !rest.is_empty()) else { return };
        let missing = second.series.iter().find(|series| {
            rest.iter().all(|body| body.series.contains(*series))
                && !first.series.contains(*series)
                && !after.contains(*series)
        });
        if let Some(one) = missing {
            self.find("OM1-HTTP-09", format!("{one} is in the other formats and not in {title}"));
        }
    }

    /// Scrapes apart in time, in the richest text and in protobuf.
    fn over_time(&mut self, bodies: &[Body], cap: usize, config: &Config) -> Vec<Judged> {
        let find = |kind: Kind| bodies.iter().find(|body| body.kind == kind);
        let text = [Kind::OpenMetrics2, Kind::OpenMetrics1, Kind::Text0].into_iter().find_map(find);
        let chosen: Vec<&Body> = text.into_iter().chain(find(Kind::PrometheusProtobuf)).collect();
        let mut before: BTreeMap<&str, Scrape> = BTreeMap::new();
        let mut all = Vec::new();
        let count = self.plan.count;
        for number in 1..=count {
            if number > 1 {
                (self.plan.wait)(self.plan.interval);
            }
            for body in &chosen {
                let ask = Ask::get("one of several scrapes in a row").accepting(body.accept).coding("gzip");
                let Some(answer) = self.try_ask(&ask, "OM1-HTTP-01") else { continue };
                if response::judge(&ask, &answer, &mut self.found) != Some(body.kind) {
                    continue;
                }
                let Ok(bytes) = answer.plain_body() else { continue };
                let title = body.kind.title();
                let name = format!("{} ({title}, scrape {number} of {count})", self.plan.address);
                let subject = Subject { name, bytes: bytes.into_owned(), spec: body.kind.spec() };
                let scrape = Scrape::of(&subject);
                self.exemplars(scrape.set());
                if let Some(before) = before.get(title) {
                    let found = judge::between(before, &scrape);
                    if !found.is_empty() {
                        let found = Findings::from(found);
                        all.push(judge::finish(subject, found, config, cap));
                    }
                }
                before.insert(title, scrape);
            }
        }
        all
    }

    /// Exemplars are from the past, and not from long ago.
    fn exemplars(&mut self, set: &MetricSet) {
        const SKEW: i64 = 60; // seconds that clocks may differ
        const OLD: i64 = 24 * 60 * 60;
        let now = Timestamp::now().seconds();
        for family in &set.families {
            let points = family.metrics.iter().flat_map(|metric| &metric.points);
            let mut ages = points
                .flat_map(|point| &point.exemplars)
                .filter_map(|exemplar| exemplar.timestamp)
                .map(|time| now.saturating_sub(time.seconds()));
            let Some(age) = ages.find(|age| !(-SKEW..=OLD).contains(age)) else { continue };
            let name = family.descriptor.name();
            let message = if age < 0 {
                format!("an exemplar of `{name}` is from {} s ahead", age.unsigned_abs())
            } else {
                format!("an exemplar of `{name}` is {} hours old", age / 3600)
            };
            self.found.push(finding("LINT-16", message).of(name.as_str()));
        }
    }
}

/// Whether the bytes are a whole exposition, whatever rules they break.
fn is_whole(kind: Kind, bytes: &[u8]) -> bool {
    let subject = Subject { name: String::new(), bytes: bytes.to_vec(), spec: kind.spec() };
    let verdict = judge::one(subject, &Config::default(), 1).verdict;
    verdict.readable && !verdict.findings.iter().any(|finding| finding.rule.id == "OM1-DOC-05")
}
