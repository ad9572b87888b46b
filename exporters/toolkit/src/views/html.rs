//! The metrics as a page to look through: types, help, values, exemplars, and what has the most series.
//!
//! Its one script is part of it and is allowed by its digest; without scripts the page shows the same and cannot be
//! searched.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use openmetrics::model::{
    Descriptor, Exemplar, Histogram, Metric, MetricFamily, MetricSet, MetricValue, Number, Timestamp,
};

use crate::landing::escape;

/// Hides the families that lack one of the words typed or are of another type, and puts those with the most series
/// first if asked to; a few that are left are opened. What is searched for stands in the address, so that it can be sent to somebody.
const SCRIPT: &str = "\
const [box,pick,most,left]=['#words','#type','#most','output'].map(q=>document.querySelector(q));\
const list=document.querySelector('main'),all=[...list.querySelectorAll('details')];\
for(const d of all)d.words=d.textContent.toLowerCase();\
const show=()=>{const words=box.value.toLowerCase().split(/\\s+/);let n=0,series=0;\
for(const d of all){const on=words.every(w=>d.words.includes(w))&&(!pick.value||d.dataset.type===pick.value);\
d.hidden=!on;if(on){n++;series+=+d.dataset.series}}\
if(n<4)for(const d of all)d.open=!d.hidden;\
left.textContent=n+' of '+all.length+' families, '+series+' series';\
history.replaceState(null,'',box.value?'#'+encodeURIComponent(box.value):location.pathname+location.search)};\
const sort=()=>list.append(...(most.checked?[...all].sort((a,b)=>b.dataset.series-a.dataset.series):all));\
const read=()=>{try{box.value=decodeURIComponent(location.hash.slice(1))}catch{box.value=''}show()};\
box.addEventListener('input',show);pick.addEventListener('change',show);most.addEventListener('change',sort);\
addEventListener('hashchange',read);read()";

/// The content security policy of the page: this script and no other.
pub(super) fn policy() -> String {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY
        .get_or_init(|| {
            let digest = ring::digest::digest(&ring::digest::SHA256, SCRIPT.as_bytes());
            let digest = base64::engine::general_purpose::STANDARD.encode(digest);
            format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'")
        })
        .clone()
}

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8883;--dim:#666;--link:#0b57a4;--bar:#0b57a433}\
@media(prefers-color-scheme:dark){:root{--dim:#999;--link:#8ab4f8;--bar:#8ab4f844}}\
body{font:15px/1.5 system-ui,sans-serif;margin:0 1.5rem 3rem}h1{font-size:1.4rem;margin:1rem 0 0}a{color:var(--link)}\
code,td,th{font:13px/1.6 ui-monospace,monospace}p{margin:.3rem 0}.dim{color:var(--dim)}\
form{position:sticky;top:0;background:Canvas;padding:.6rem 0;border-bottom:1px solid var(--line);display:flex;\
flex-wrap:wrap;gap:.4rem 1rem;align-items:center}\
#words{font:inherit;width:min(26rem,60%);padding:.25rem .6rem}select{font:inherit}\
summary,.head{display:grid;grid-template-columns:minmax(16rem,5fr) 8rem 5rem 5rem minmax(0,8fr);gap:1rem;cursor:pointer;\
padding:.1rem 0;border-bottom:1px solid var(--line)}\
.head{color:var(--dim);cursor:default;margin-top:1rem}summary>code::before{content:'▸ '}\
details[open]>summary>code::before{content:'▾ '}summary:hover{background:var(--bar)}summary>*,.head>*{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}\
.n,td.v{text-align:right;font-variant-numeric:tabular-nums}details>div{margin:.4rem 0 1.2rem 1.2rem;overflow-x:auto}\
table{border-collapse:collapse;margin-top:.4rem}td,th{padding:0 1.4rem 0 0;text-align:left;vertical-align:top;\
white-space:nowrap}th{color:var(--dim);font-weight:normal}ol{margin:.3rem 0;padding-left:1.6rem}\
@media(max-width:50rem){summary,.head{grid-template-columns:1fr auto auto}.opt{display:none}}";

/// So many metrics of a family are shown; the rest is counted.
const SHOWN: usize = 200;
/// So many families with the most series are named at the top.
const LARGEST: usize = 5;

/// The whole page.
pub(super) fn page(set: &MetricSet) -> String {
    let series: usize = set.families.iter().map(|family| family.metrics.len()).sum();
    let types: BTreeSet<String> =
        set.families.iter().map(|family| family.descriptor.metric_type().to_string()).collect();
    let options: Vec<String> =
        types.iter().map(|name| format!("<option>{}</option>", escape(name))).collect();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Metrics</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\n<body>\n<h1>Metrics</h1>\n\
         <p><a href=\"/\">About this exporter</a></p>\n<form autocomplete=\"off\">\
         <input id=\"words\" type=\"search\" placeholder=\"words of a name, a help or a label\" aria-label=\"search\" autofocus>\
         <label>type <select id=\"type\"><option value=\"\">all</option>{}</select></label>\
         <label><input id=\"most\" type=\"checkbox\"> most series first</label>\
         <output>{} families, {series} series</output></form>\n",
        options.concat(),
        set.families.len()
    );
    largest(set, &mut page);
    page.push_str(
        "<div class=\"head\"><span>name</span><span>type</span><span class=\"opt\">unit</span>\
         <span class=\"n\">series</span><span class=\"opt\">help</span></div>\n<main>\n",
    );
    for family in &set.families {
        write_family(family, &mut page);
    }
    let _ = write!(page, "</main>\n<script>{SCRIPT}</script>\n</body></html>\n");
    page
}

/// Which families have the most series, where any has more than one.
fn largest(set: &MetricSet, page: &mut String) {
    let mut families: Vec<&MetricFamily> = set.families.iter().filter(|f| f.metrics.len() > 1).collect();
    families.sort_by_key(|family| std::cmp::Reverse(family.metrics.len()));
    let Some(most) = families.first().map(|family| family.metrics.len()) else { return };
    page.push_str("<p class=\"dim\">Most series:</p>\n<ol>");
    for MetricFamily { descriptor, metrics } in families.into_iter().take(LARGEST) {
        let _ = write!(
            page,
            "<li><a href=\"#{0}\"><code>{0}</code></a> <meter min=\"0\" max=\"{most}\" value=\"{1}\"></meter> {1}</li>",
            escape(descriptor.name().as_str()),
            metrics.len()
        );
    }
    page.push_str("</ol>\n");
}

fn write_family(MetricFamily { descriptor, metrics }: &MetricFamily, page: &mut String) {
    let (name, help) = (escape(descriptor.name().as_str()), escape(descriptor.help()));
    let unit = descriptor.unit().map(|unit| escape(&unit.to_string())).unwrap_or_default();
    let (kind, series) = (descriptor.metric_type(), metrics.len());
    let _ = write!(
        page,
        "<details data-type=\"{kind}\" data-series=\"{series}\"><summary><code>{name}</code><span>{kind}</span>\
         <span class=\"opt\">{unit}</span><span class=\"n\">{series}</span><span class=\"dim opt\">{help}</span></summary>\
         <div><p>{help}</p>"
    );
    let labels = cardinalities(metrics);
    if !labels.is_empty() {
        let told: Vec<String> =
            labels.iter().map(|(name, values)| format!("<code>{}</code> {values}", escape(name))).collect();
        let _ = write!(page, "<p class=\"dim\">Values of labels: {}</p>", told.join(", "));
    }
    page.push_str("<table><tr>");
    for name in labels.keys() {
        let _ = write!(page, "<th>{}</th>", escape(name));
    }
    page.push_str("<th>value</th><th></th></tr>\n");
    for metric in metrics.iter().take(SHOWN) {
        write_metric(descriptor, metric, &labels, page);
    }
    page.push_str("</table>");
    if series > SHOWN {
        let _ = write!(page, "<p>and {} more</p>", series - SHOWN);
    }
    page.push_str("</div></details>\n");
}

/// The labels of a family, and how many different values each has.
fn cardinalities(metrics: &[Metric]) -> BTreeMap<&str, usize> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for label in metrics.iter().flat_map(|metric| &metric.labels) {
        values.entry(label.name.as_str()).or_default().insert(&label.value);
    }
    values.into_iter().map(|(name, values)| (name, values.len())).collect()
}

/// The rows of a metric, with a column for each label that its family has.
fn write_metric(
    descriptor: &Descriptor,
    Metric { labels, points }: &Metric,
    columns: &BTreeMap<&str, usize>,
    page: &mut String,
) {
    for point in points {
        page.push_str("<tr>");
        for name in columns.keys() {
            let _ = write!(page, "<td>{}</td>", escape(labels.get(name).unwrap_or_default()));
        }
        let mut beside: Vec<String> = point.exemplars.iter().map(exemplar).collect();
        beside.extend(point.start.map(|start| format!("since {}", moment(start))));
        let _ = writeln!(
            page,
            "<td class=\"v\" title=\"{}\">{}</td><td class=\"dim\">{}</td></tr>",
            escape(descriptor.name().as_str()),
            escape(&value(&point.value)),
            escape(&beside.join(", "))
        );
    }
}

fn exemplar(Exemplar { labels, value, timestamp }: &Exemplar) -> String {
    let when = timestamp.map(|at| format!(" at {}", moment(at))).unwrap_or_default();
    format!("exemplar {labels} {}{when}", number(*value))
}

fn moment(at: Timestamp) -> String {
    u64::try_from(at.seconds()).map_or_else(
        |_| at.as_f64().to_string(),
        |s| openmetrics::http::CivilTime::from_seconds(s).to_string(),
    )
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
        MetricValue::Histogram(histogram) => distribution(histogram),
        MetricValue::Summary(s) => {
            let quantiles = s.quantiles.iter().map(|q| format!("{}: {}", q.quantile, number(q.value)));
            let count = s.count.map(|count| format!("count {}", number(count)));
            let sum = s.sum.map(|sum| format!("sum {}", number(sum)));
            count.into_iter().chain(sum).chain(quantiles).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(), // a kind that the model does not have yet
    }
}

/// Count, sum and mean, and how many are in which buckets that have any.
fn distribution(Histogram { count, sum, classic, native }: &Histogram) -> String {
    let mut words = vec![format!("count {}", number(*count))];
    if let Some(sum) = sum {
        words.push(format!("sum {}", number(*sum)));
        if count.as_f64() > 0.0 {
            words.push(format!("mean {:.6}", sum.as_f64() / count.as_f64()));
        }
    }
    if native.is_some() {
        words.push("native buckets".into());
    }
    let mut below = 0.0;
    for bucket in classic.iter().flatten() {
        let within = bucket.count.as_f64() - below;
        below = bucket.count.as_f64();
        if within > 0.0 {
            words.push(format!("≤{}: {within}", bucket.upper_bound));
        }
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::set;
    use super::*;

    #[test]
    fn the_page_shows_everything_escaped() {
        let page = page(&set());
        assert!(page.contains("2 families, 301 series"), "{page}");
        assert!(page.contains("<code>hits</code><span>counter</span>"));
        assert!(page.contains("Hits &amp; &lt;b&gt;misses&lt;/b&gt;."));
        assert!(
            page.contains("<th>path</th>") && page.contains("<td>&lt;/script&gt;&lt;script&gt;alert(1)</td>")
        );
        assert!(
            page.contains("exemplar {trace_id=&quot;&lt;i&gt;&quot;} 0.5 at 1970-01-01T00:00:01"),
            "{page}"
        );
        assert!(page.contains("Values of labels: <code>n</code> 300") && page.contains("and 100 more"));
        assert_eq!(page.matches("<script").count(), 1);
        assert!(!page.contains("http://") && !page.contains("https://"), "nothing is from elsewhere");
    }

    #[test]
    fn only_the_pages_own_script_may_run() {
        assert!(policy().starts_with("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"));
        assert!(!SCRIPT.contains("</"), "it ends nowhere but at its end");
    }
}
