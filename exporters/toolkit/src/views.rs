//! Metrics in other shapes than scrapers ask for: `?format=` of the metrics' address.

use std::fmt::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use openmetrics::format::{Format, encode, json};
use openmetrics::http::{Rendering, View};
use openmetrics::model::{Collector, Metric, MetricFamily, MetricSet, MetricValue, Number, Report};

use crate::landing::escape;
use crate::protobuf_text;

/// What `?format=NAME` shows.
static VIEWS: [(&str, Rendering); 5] = [
    ("text", Rendering::Format(Format::TEXT_0_0_4)),
    ("openmetrics", Rendering::Format(Format::OPENMETRICS_1_0)),
    ("protobuf-text", Rendering::View(PROTOBUF_TEXT)),
    ("json", Rendering::View(JSON)),
    ("html", Rendering::View(HTML)),
];

const JSON: View = View {
    name: "json",
    content_type: "application/json",
    render: |collector| owned(collector, json::to_string),
};
const PROTOBUF_TEXT: View = View {
    name: "protobuf-text",
    content_type: "text/plain; charset=utf-8",
    render: |collector| {
        let mut page = Vec::new();
        let report = encode(collector, Format::PROMETHEUS_PROTOBUF, &mut page);
        (protobuf_text::show(&page).into_bytes(), report)
    },
};
pub(crate) const HTML: View = View {
    name: "html",
    content_type: "text/html; charset=utf-8",
    render: |collector| owned(collector, html),
};

pub(crate) fn by_name(name: &str) -> Option<Rendering> {
    VIEWS.iter().find(|(known, _)| *known == name).map(|(_, rendering)| *rendering)
}

/// All names, for an error.
pub(crate) fn names() -> String {
    VIEWS.map(|(name, _)| name).join(", ")
}

fn owned(collector: &dyn Collector, render: fn(&MetricSet) -> String) -> (Vec<u8>, Report) {
    let (set, report) = MetricSet::collect_from(collector);
    (render(&set).into_bytes(), report)
}

/// The page's only script: it hides the families that do not have the words typed, in their names, help or labels.
const SCRIPT: &str = "const box=document.querySelector('input'),all=[...document.querySelectorAll('details')],\
    left=document.querySelector('output');const show=()=>{const words=box.value.toLowerCase().split(/\\s+/);let n=0;\
    for(const d of all){const t=d.textContent.toLowerCase();d.hidden=!words.every(w=>t.includes(w));n+=!d.hidden}\
    left.textContent=n+' of '+all.length+' families'};box.addEventListener('input',show);show()";

/// The content security policy of the HTML view: this script and no other.
pub(crate) fn policy() -> String {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY
        .get_or_init(|| {
            let digest = ring::digest::digest(&ring::digest::SHA256, SCRIPT.as_bytes());
            let digest = base64::engine::general_purpose::STANDARD.encode(digest);
            format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'")
        })
        .clone()
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:1rem 2rem;color:#222;background:#fff}\
    input{font:inherit;width:min(30rem,90%);padding:.3rem .6rem}summary{cursor:pointer}code{font-size:14px}\
    table{border-collapse:collapse;margin:.3rem 0 1rem 1rem}td{padding:.1rem 1.5rem .1rem 0;vertical-align:top;\
    font:13px ui-monospace,monospace}td.v{text-align:right}.t{color:#666}p{margin:.2rem 0 .2rem 1rem}\
    @media(prefers-color-scheme:dark){body{background:#16181b;color:#ddd}.t{color:#999}}";

/// So many metrics of a family are shown; the rest is counted.
const SHOWN: usize = 200;

fn html(set: &MetricSet) -> String {
    let series: usize = set.families.iter().map(|family| family.metrics.len()).sum();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Metrics</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\n<body><h1>Metrics</h1>\n\
         <p>{} families, {series} metrics.</p>\n<p><input type=\"search\" placeholder=\"words of a name, help or label\" \
         aria-label=\"search\" autofocus> <output></output></p>\n",
        set.families.len()
    );
    for MetricFamily { descriptor, metrics } in &set.families {
        let unit = descriptor.unit().map(|unit| format!(", {unit}")).unwrap_or_default();
        let _ = writeln!(
            page,
            "<details><summary><code>{}</code> <span class=\"t\">{}{}, {} metrics</span></summary><p>{}</p><table>",
            escape(descriptor.name().as_str()),
            descriptor.metric_type(),
            escape(&unit),
            metrics.len(),
            escape(descriptor.help())
        );
        for Metric { labels, points } in metrics.iter().take(SHOWN) {
            for point in points {
                let exemplars: Vec<String> = point
                    .exemplars
                    .iter()
                    .map(|exemplar| format!("{} {}", exemplar.labels, number(exemplar.value)))
                    .collect();
                let _ = writeln!(
                    page,
                    "<tr><td>{}</td><td class=\"v\">{}</td><td>{}</td></tr>",
                    escape(&labels.to_string()),
                    escape(&value(&point.value)),
                    escape(&exemplars.join(" "))
                );
            }
        }
        page.push_str("</table>");
        if metrics.len() > SHOWN {
            let _ = write!(page, "<p>and {} more</p>", metrics.len() - SHOWN);
        }
        page.push_str("</details>\n");
    }
    let _ = write!(page, "<script>{SCRIPT}</script>\n</body></html>\n");
    page
}

fn number(number: Number) -> String {
    match number {
        Number::Unsigned(v) => v.to_string(),
        Number::Signed(v) => v.to_string(),
        Number::Float(v) => v.to_string(),
    }
}

/// A value in a few words.
fn value(value: &MetricValue) -> String {
    match value {
        MetricValue::Number(v) => number(*v),
        MetricValue::StateSet(states) => {
            let on: Vec<&str> = states.iter().filter(|(_, on)| *on).map(|(name, _)| name.as_str()).collect();
            if on.is_empty() { "none of its states".into() } else { on.join(", ") }
        }
        MetricValue::Info(labels) => labels.to_string(),
        MetricValue::Histogram(h) => {
            let sum = h.sum.map(|sum| format!(", sum {}", number(sum))).unwrap_or_default();
            format!("count {}{sum}", number(h.count))
        }
        MetricValue::Summary(s) => {
            let quantiles: Vec<String> =
                s.quantiles.iter().map(|q| format!("{}: {}", q.quantile, number(q.value))).collect();
            let count = s.count.map(|count| format!("count {}", number(count)));
            let sum = s.sum.map(|sum| format!("sum {}", number(sum)));
            count.into_iter().chain(sum).chain(quantiles).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(), // a kind that the model does not have yet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openmetrics::model::{Descriptor, Exemplar, LabelSet, MetricPoint, MetricType, Timestamp};

    fn set() -> MetricSet {
        let mut point = MetricPoint::new(MetricValue::Number(7_u64.into()));
        point.exemplars.push(Exemplar {
            labels: LabelSet::from_pairs([("trace_id", "<i>")]).unwrap(),
            value: 0.5.into(),
            timestamp: Some(Timestamp::from_seconds(1)),
        });
        let labels = LabelSet::from_pairs([("path", "</script><script>alert(1)")]).unwrap();
        let descriptor = Descriptor::literal("hits", MetricType::Counter, "Hits & <b>misses</b>.");
        let many = Descriptor::literal("many", MetricType::Gauge, "");
        let metric = |n: usize| Metric {
            labels: LabelSet::from_pairs([("n", n.to_string())]).unwrap(),
            points: vec![MetricPoint::new(MetricValue::Number(n.into()))],
        };
        MetricSet {
            families: vec![
                MetricFamily { descriptor, metrics: vec![Metric { labels, points: vec![point] }] },
                MetricFamily { descriptor: many, metrics: (0..300).map(metric).collect() },
            ],
        }
    }

    #[test]
    fn the_page_shows_everything_escaped() {
        let page = html(&set());
        assert!(page.contains("2 families, 301 metrics") && page.contains("counter, 1 metrics"));
        assert!(page.contains("Hits &amp; &lt;b&gt;misses&lt;/b&gt;."));
        assert!(page.contains("{path=&quot;&lt;/script&gt;&lt;script&gt;alert(1)&quot;}"));
        assert!(page.contains("{trace_id=&quot;&lt;i&gt;&quot;} 0.5"));
        assert!(page.contains("and 100 more"));
        assert_eq!(page.matches("<script").count(), 1);
    }

    #[test]
    fn only_the_pages_own_script_may_run() {
        assert!(policy().starts_with("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"));
        assert!(!SCRIPT.contains('<') || !SCRIPT.contains("</"), "it ends nowhere but at its end");
    }

    #[test]
    fn every_name_has_its_view() {
        for name in ["text", "openmetrics", "protobuf-text", "json", "html"] {
            assert!(by_name(name).is_some(), "{name}");
        }
        assert!(by_name("xml").is_none());
        let Some(Rendering::View(view)) = by_name("protobuf-text") else { panic!("a view") };
        let text = String::from_utf8((view.render)(&set()).0).unwrap();
        assert!(
            text.starts_with(
                "name: \"hits_total\"\nhelp: \"Hits & <b>misses</b>.\"\ntype: COUNTER\nmetric {\n  label {\n    name: \"path\""
            ) || text.starts_with("name: \"hits\""),
            "{text}"
        );
        assert!(text.contains("  counter {\n    value: 7\n    exemplar {\n"), "{text}");
    }
}
