//! The page at `/`: what this is, where to go, and how the collectors fare.

use std::fmt::Write as _;
use std::time::Duration;

/// How a collector fares, for the landing page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorState {
    /// The collector's name.
    pub name: String,
    /// Its condition.
    pub condition: Condition,
    /// How long its last run took.
    pub duration: Option<Duration>,
}

/// The condition of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It is on, and was not asked yet.
    Waiting,
    /// Its last run went well.
    Fine,
    /// Its last run failed, for this reason.
    Failed(String),
    /// There is nothing of its sort to tell of, as this says.
    Absent(String),
    /// It has not come back from a run.
    Late,
    /// It is off.
    Off,
}

/// A link of the landing page.
pub(crate) struct Link<'a> {
    pub(crate) path: &'a str,
    pub(crate) about: &'a str,
}

pub(crate) struct Landing<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) about: &'a str,
    pub(crate) links: &'a [Link<'a>],
    /// Forms as they are.
    pub(crate) forms: &'a [String],
    pub(crate) collectors: &'a [CollectorState],
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color:#222;background:#fff}h1{margin-bottom:0}table{border-collapse:collapse}td,th{padding:.2rem 1.2rem .2rem 0;\
    text-align:left;vertical-align:top}.failed,.late{color:#b00020}.off,.absent{color:#777}\
    td.n{text-align:right;font-variant-numeric:tabular-nums}a{color:#0b57a4}\
    form p{margin:.6rem 0}input,select,button{font:inherit;padding:.2rem .4rem}\
    @media(prefers-color-scheme:dark){body{background:#16181b;color:#ddd}a{color:#8ab4f8}.failed,.late{color:#ff8a80}}";

impl Landing<'_> {
    pub(crate) fn html(&self) -> String {
        let Self { name, version, about, links, forms, collectors } = self;
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title><style>{STYLE}</style></head>\n\
             <body><h1>{0}</h1><p>Version {1}. {2}</p>\n<ul>\n",
            escape(name),
            escape(version),
            escape(about)
        );
        for Link { path, about } in *links {
            let _ = writeln!(page, "<li><a href=\"{0}\">{0}</a> {1}</li>", escape(path), escape(about));
        }
        page.push_str("</ul>\n");
        page.extend(forms.iter().map(String::as_str));
        if !collectors.is_empty() {
            let _ = write!(
                page,
                "<h2>Collectors</h2>\n<p>{}.</p>\n<table>\n<tr><th>name</th><th>state</th><th>last run</th></tr>\n",
                summary(collectors)
            );
            for CollectorState { name, condition, duration } in *collectors {
                let (class, text) = condition.words();
                let time = duration.map(|d| format!("{:.3} ms", d.as_secs_f64() * 1e3)).unwrap_or_default();
                let _ = writeln!(
                    page,
                    "<tr><td>{}</td><td class=\"{class}\">{}</td><td class=\"n\">{time}</td></tr>",
                    escape(name),
                    escape(&text)
                );
            }
            page.push_str("</table>\n");
        }
        page.push_str("</body></html>\n");
        page
    }
}

impl Condition {
    /// The condition in a word, and in as many as it takes.
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Waiting => ("waiting", "not asked yet".into()),
            Self::Fine => ("fine", "fine".into()),
            Self::Failed(why) => ("failed", format!("failed: {why}")),
            Self::Absent(why) => ("absent", format!("nothing here: {why}")),
            Self::Late => ("late", "has not come back".into()),
            Self::Off => ("off", "off".into()),
        }
    }
}

/// `52 fine, 1 failed, 14 absent, 20 off`
fn summary(collectors: &[CollectorState]) -> String {
    let mut counts = [("fine", 0), ("failed", 0), ("late", 0), ("absent", 0), ("waiting", 0), ("off", 0)];
    for CollectorState { condition, .. } in collectors {
        let (word, _) = condition.words();
        counts.iter_mut().filter(|(known, _)| *known == word).for_each(|(_, count)| *count += 1);
    }
    let told = counts.iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}"));
    told.collect::<Vec<_>>().join(", ")
}

/// Text as HTML shows it, in elements and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_shown_is_escaped() {
        let evil = "<script>alert('x')</script>\"&";
        let html = Landing {
            name: evil,
            version: evil,
            about: evil,
            links: &[Link { path: evil, about: evil }],
            forms: &[],
            collectors: &[CollectorState {
                name: evil.into(),
                condition: Condition::Failed(evil.into()),
                duration: Some(Duration::from_micros(1500)),
            }],
        }
        .html();
        assert!(!html.contains("<script") && !html.contains("'x'"));
        assert!(html.contains("failed: &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
        assert!(html.contains("1.500 ms") && html.contains("<p>1 failed.</p>"));
    }
}
