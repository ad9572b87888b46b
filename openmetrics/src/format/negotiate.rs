//! From `Accept` and `Accept-Encoding` to a format and a coding; pure
//! ([content negotiation](https://prometheus.io/docs/instrumenting/content_negotiation/), rules CN-01 to CN-16).
//!
//! | asked for | answer |
//! |---|---|
//! | nothing, `*/*`, something unknown | text 0.0.4 |
//! | several formats | the one with the highest `q`; among equals the one named first |
//! | a format twice, or also by wildcard | the `q` of the most specific range counts (RFC 9110, 12.5.1) |
//! | `application/openmetrics-text` without version | OpenMetrics 1.0 |
//! | OpenMetrics 2.0, protobuf | only when asked for by version or by message; wildcards never give them |
//! | `q=0` | not that one |
//! | no `escaping` in the range chosen | `underscores`; for protobuf first that of another range of the header |
//!
//! Nothing of a header is copied into an answer (CN-10).

use super::{Escaping, Format, ROWS, Row};

/// The format for an `Accept` header; without one, and where nothing fits, text 0.0.4.
///
/// ```
/// use openmetrics::format::{Format, negotiate};
///
/// let prometheus_2 = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// assert_eq!(negotiate(Some(prometheus_2)), Format::OPENMETRICS_1_0);
/// assert_eq!(negotiate(Some("text/html,*/*;q=0.8")), Format::TEXT_0_0_4);
/// assert_eq!(negotiate(None), Format::TEXT_0_0_4);
/// ```
pub fn negotiate(accept: Option<&str>) -> Format {
    let accept = accept.unwrap_or_default();
    let ranges = || split(accept, ',').enumerate().filter_map(|(at, text)| Range::parse(at, text));
    let mut best: Option<(Range<'_>, &Row)> = None;
    for row in ROWS {
        // The most specific range speaks for a format; among equally specific ones the best for it.
        let speaks = ranges()
            .filter_map(|range| Some((range.specificity(row)?, range)))
            .max_by_key(|(specificity, range)| (*specificity, range.q, std::cmp::Reverse(range.at)));
        let Some((_, range)) = speaks else { continue };
        if range.q == 0 {
            continue;
        }
        let wins = best
            .as_ref()
            .is_none_or(|(other, _)| range.q > other.q || range.q == other.q && range.at < other.at);
        if wins {
            best = Some((range, row));
        }
    }
    let Some((range, row)) = best else { return Format::TEXT_0_0_4 };
    let from_others = || {
        let said =
            ranges().filter(|other| row.escaping_from_others && other.q > 0 && other.escaping.is_some());
        said.max_by_key(|other| (other.q, std::cmp::Reverse(other.at)))?.escaping
    };
    Format::of(row.wire, range.escaping.or_else(from_others).unwrap_or_default())
}

/// One element of an `Accept` header.
struct Range<'a> {
    /// Its place in the header.
    at: usize,
    media_type: &'a str,
    parameters: &'a str,
    /// Weight in thousandths.
    q: u16,
    escaping: Option<Escaping>,
}

impl<'a> Range<'a> {
    /// `text/plain;version=0.0.4;q=0.5`; `None` for what is no media range.
    fn parse(at: usize, text: &'a str) -> Option<Self> {
        let (media_type, parameters) = split_first(text, ';');
        let (kind, subtype) = media_type.split_once('/')?;
        if kind.is_empty() || subtype.is_empty() || kind == "*" && subtype != "*" {
            return None;
        }
        let mut range = Self { at, media_type, parameters, q: 1000, escaping: None };
        for (name, value) in parameters_of(parameters) {
            if name.eq_ignore_ascii_case("q") {
                range.q = weight(&value)?;
            } else if name.eq_ignore_ascii_case("escaping") {
                range.escaping = Escaping::from_word(&value.to_ascii_lowercase());
            }
        }
        Some(range)
    }

    /// How closely it names a format: 0 for `*/*`, 1 for `type/*`, 2 for the media type, 3 with version or
    /// parameters that the format has to have. `None` if it means another.
    fn specificity(&self, row: &Row) -> Option<u8> {
        if !self.media_type.eq_ignore_ascii_case(row.media_type) {
            let (kind, subtype) = self.media_type.split_once('/')?;
            let (row_kind, _) = row.media_type.split_once('/')?;
            return match (kind, subtype) {
                _ if !row.by_wildcard => None,
                ("*", "*") => Some(0),
                (kind, "*") if kind.eq_ignore_ascii_case(row_kind) => Some(1),
                _ => None,
            };
        }
        let value = |wanted: &str| {
            parameters_of(self.parameters)
                .find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value))
        };
        let charset = value("charset");
        if charset.is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
            return None;
        }
        if !row
            .required
            .iter()
            .all(|(name, wanted)| value(name).is_some_and(|v| v.eq_ignore_ascii_case(wanted)))
        {
            return None;
        }
        match value("version") {
            Some(version) => (version == row.version).then_some(3),
            None if !row.required.is_empty() => Some(3),
            None => row.unversioned.then_some(2),
        }
    }
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coding {
    /// Not at all.
    Identity,
    /// With gzip.
    Gzip,
    /// With [Zstandard](super::zstd).
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Coding {
    /// The value of `Content-Encoding`; `None` where the header is left out.
    pub const fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            #[cfg(feature = "zstd")]
            Self::Zstd => Some("zstd"),
        }
    }
}

/// The coding for an `Accept-Encoding` header. Compressed only where that is accepted (CN-16); where even plain bodies are
/// forbidden and nothing is left, plain ones all the same, as RFC 9110, 12.5.3 has it for the end of all choice.
///
/// Among equals gzip comes first, whose plan makes the next scrape cheap, and plain bodies last. `*` means gzip.
///
/// ```
/// use openmetrics::format::{Coding, negotiate_coding};
///
/// assert_eq!(negotiate_coding(Some("gzip")), Coding::Gzip);
/// assert_eq!(negotiate_coding(Some("gzip;q=0, *")), Coding::Identity);
/// assert_eq!(negotiate_coding(None), Coding::Identity);
/// ```
pub fn negotiate_coding(accept_encoding: Option<&str>) -> Coding {
    let (mut gzip, mut zstd, mut identity, mut any) = (None, None, None, None);
    for element in split(accept_encoding.unwrap_or_default(), ',') {
        let (name, parameters) = split_first(element, ';');
        let q = parameters_of(parameters).find(|(name, _)| name.eq_ignore_ascii_case("q"));
        let Some(q) = q.map_or(Some(1000), |(_, value)| weight(&value)) else { continue };
        let said = match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "zstd" if cfg!(feature = "zstd") => &mut zstd,
            "identity" => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *said = Some(said.unwrap_or(0).max(q));
    }
    let gzip = gzip.or(any).unwrap_or(0);
    let zstd = zstd.unwrap_or(0);
    // Plain is fine unless refused; named without being preferred, it loses to what is smaller.
    let identity = identity.or(any.filter(|&q| q == 0)).unwrap_or(1);
    match gzip.max(zstd) {
        0 => Coding::Identity,
        best if best < identity => Coding::Identity,
        #[cfg(feature = "zstd")]
        _ if zstd > gzip => Coding::Zstd,
        _ => Coding::Gzip,
    }
}

/// The elements of a list, trimmed, empty ones left out; separators inside quotes do not separate.
fn split(list: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        loop {
            let list = rest?;
            let (head, tail) = match find_outside_quotes(list, separator) {
                Some(at) => (list.get(..at)?, list.get(at + 1..)),
                None => (list, None),
            };
            rest = tail;
            let head = head.trim_matches([' ', '\t']);
            if !head.is_empty() {
                return Some(head);
            }
        }
    })
}

/// What stands before the first separator, trimmed, and the rest.
fn split_first(text: &str, separator: char) -> (&str, &str) {
    let (head, tail) = text.split_once(separator).unwrap_or((text, ""));
    (head.trim_matches([' ', '\t']), tail)
}

fn find_outside_quotes(text: &str, separator: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().find_map(|(at, c)| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => return Some(at),
            _ => {}
        }
        None
    })
}

/// Names and values of `;version=1.0.0; q="0.5"`; values lose their quotes.
fn parameters_of(parameters: &str) -> impl Iterator<Item = (&str, std::borrow::Cow<'_, str>)> {
    split(parameters, ';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim_matches([' ', '\t']);
        let value = match value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) {
            Some(quoted) if quoted.contains('\\') => unquote(quoted).into(),
            Some(quoted) => quoted.into(),
            None => value.into(),
        };
        Some((name.trim_matches([' ', '\t']), value))
    })
}

fn unquote(quoted: &str) -> String {
    let mut escaped = false;
    quoted
        .chars()
        .filter(|&c| {
            escaped = c == '\\' && !escaped;
            !escaped
        })
        .collect()
}

/// A weight in thousandths: `1`, `0.5`, `1.000`. More digits than three are cut off, out of range is `None`.
fn weight(q: &str) -> Option<u16> {
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digit = |at: usize| fraction.as_bytes().get(at).map_or(0, |b| u16::from(b - b'0'));
    let thousandths = digit(0) * 100 + digit(1) * 10 + digit(2);
    match whole {
        "0" => Some(thousandths),
        "1" if fraction.bytes().all(|b| b == b'0') => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Escaping::{AllowUtf8, Dots, Underscores, Values};
    use quickcheck::quickcheck;

    const TEXT_0: Format = Format::TEXT_0_0_4;
    const TEXT_1: Format = Format::TEXT_1_0_0;
    const OM_1: Format = Format::OPENMETRICS_1_0;
    const OM_2: Format = Format::OPENMETRICS_2_0;

    const PROTOBUF: Format = Format::PROMETHEUS_PROTOBUF;

    #[track_caller]
    fn gives(accept: &str, format: Format) {
        assert_eq!(negotiate(Some(accept)), format, "{accept}");
    }

    #[test]
    fn what_scrapers_send() {
        // Prometheus 2.5 to 2.30
        gives(
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::of(super::super::Wire::OpenMetrics0, Underscores),
        );
        // Prometheus 2.31 to 2.55
        gives(
            "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OM_1,
        );
        // Prometheus 3
        gives(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            OM_1.with_escaping(AllowUtf8),
        );
        // Prometheus 3 with scrape_protocols: [PrometheusText1.0.0]
        gives("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.2,*/*;q=0.1", TEXT_1);
        // Prometheus 2.40 to 2.55 with native histograms
        gives(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
             application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            PROTOBUF.with_escaping(Underscores),
        );
        // Prometheus 3 with native histograms: the names are those of the other formats, though only these say so
        gives(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            PROTOBUF,
        );
        // The same with metric_name_escaping_scheme: dots
        gives(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=dots;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            PROTOBUF.with_escaping(Dots),
        );
        // VictoriaMetrics' agent
        gives("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT_0);
        // curl, browsers, health checks
        gives("*/*", TEXT_0);
        gives("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", TEXT_0);
        assert_eq!(negotiate(None), TEXT_0);
    }

    #[test]
    fn the_highest_weight_wins() {
        gives("text/plain;version=0.0.4;q=0.2,application/openmetrics-text;version=1.0.0;q=0.3", OM_1);
        gives("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.3", TEXT_0);
        gives("application/openmetrics-text;version=1.0.0;q=0.299,text/plain;version=0.0.4;q=0.3", TEXT_0);
        gives("application/openmetrics-text;version=1.0.0,text/plain", OM_1);
        gives("text/plain,application/openmetrics-text;version=1.0.0", TEXT_0);
        gives("application/openmetrics-text;q=1.000,text/plain;q=0.999", OM_1);
        gives("application/openmetrics-text;q=0,text/plain;q=0.1", TEXT_0);
    }

    #[test]
    fn versions() {
        gives("application/openmetrics-text", OM_1);
        gives("application/openmetrics-text;version=2.0.0;escaping=allow-utf-8", OM_2);
        gives("application/openmetrics-text;version=2.0.0", OM_2.with_escaping(Underscores));
        gives("application/openmetrics-text;version=3.0.0", TEXT_0);
        gives(
            "application/openmetrics-text;version=3.0.0,application/openmetrics-text;version=1.0.0;q=0.1",
            OM_1,
        );
        gives("text/plain", TEXT_0);
        gives("text/plain;version=1.0.0", TEXT_1.with_escaping(Underscores));
        gives("text/plain;version=0.0.3,application/openmetrics-text;q=0.1", OM_1);
    }

    #[test]
    fn protobuf_by_its_message() {
        const OM_PROTOBUF: Format = Format::OPENMETRICS_PROTOBUF;
        const DELIMITED: &str =
            "application/vnd.google.protobuf;encoding=delimited;proto=io.prometheus.client.MetricFamily";
        gives(DELIMITED, PROTOBUF.with_escaping(Underscores));
        gives(&format!("{DELIMITED};escaping=values"), PROTOBUF.with_escaping(Values));
        // Its own escaping counts before that of others, and of others that of the heaviest.
        let others = "text/plain;version=1.0.0;escaping=dots;q=0.3,text/plain;escaping=values;q=0.4";
        gives(&format!("{DELIMITED};escaping=allow-utf-8,{others}"), PROTOBUF);
        gives(&format!("{DELIMITED},{others}"), PROTOBUF.with_escaping(Values));
        gives(&format!("{DELIMITED},text/plain;escaping=dots;q=0"), PROTOBUF.with_escaping(Underscores));
        gives(&format!("{DELIMITED};q=0.1,text/plain;q=0.2"), TEXT_0);
        gives(&format!("{DELIMITED};q=0,*/*;q=0.1"), TEXT_0);
        // Other messages and encodings are other formats.
        gives("application/vnd.google.protobuf", TEXT_0);
        gives("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", TEXT_0);
        gives(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text,\
             application/openmetrics-text;q=0.1",
            OM_1,
        );
        gives("application/openmetrics-protobuf;version=1.0.0;escaping=underscores", OM_PROTOBUF);
        gives("application/openmetrics-protobuf", OM_PROTOBUF);
    }

    #[test]
    fn wildcards_and_specificity() {
        gives("text/*", TEXT_0);
        gives("application/*", OM_1);
        gives("*/*;q=0.5,application/openmetrics-text;version=1.0.0;q=0.6", OM_1);
        gives("*/*,text/plain;q=0.1", OM_1);
        gives("*/*,text/plain;version=0.0.4;q=0,text/*;q=0.5", OM_1);
        gives(
            "application/openmetrics-text;version=1.0.0;q=0.1,application/openmetrics-text,text/plain;q=0.5",
            TEXT_0,
        );
        gives("*/plain", TEXT_0);
        gives("*/*;q=0", TEXT_0);
    }

    #[test]
    fn escaping_schemes() {
        gives("application/openmetrics-text;version=1.0.0;escaping=dots", OM_1.with_escaping(Dots));
        gives("application/openmetrics-text;version=1.0.0;escaping=\"values\"", OM_1.with_escaping(Values));
        gives("application/openmetrics-text;version=1.0.0;escaping=fancy", OM_1);
        gives("text/plain;version=0.0.4;escaping=allow-utf-8", TEXT_0.with_escaping(AllowUtf8));
        gives(
            "application/openmetrics-text;version=1.0.0,text/plain;version=1.0.0;escaping=dots;q=0.5",
            OM_1,
        );
    }

    #[test]
    fn letter_case_blanks_and_quotes() {
        gives("Application/OpenMetrics-Text ; Version=1.0.0 ;\tQ=0.9 , text/plain;q=0.1", OM_1);
        gives("application/openmetrics-text; version=\"1.0.0\"; charset=UTF-8", OM_1);
        gives("application/openmetrics-text; version=\"1.\\0.0\"", OM_1);
        gives("application/openmetrics-text; charset=latin-1", TEXT_0);
        gives(",, application/openmetrics-text ,", OM_1);
        gives("text/plain;x=\"a,application/openmetrics-text\";q=0.5", TEXT_0);
    }

    #[test]
    fn what_is_no_range_counts_for_nothing() {
        for accept in
            ["", ",", ";", "/", "text", "text/", "*/plain", "\"", "text/plain;q=2", "text/plain;q=-1", "é/ü"]
        {
            gives(accept, TEXT_0);
            gives(
                &format!("{accept},application/openmetrics-text;q=0.5"),
                if accept == "\"" { TEXT_0 } else { OM_1 },
            );
        }
        gives("application/openmetrics-text;q=x", TEXT_0);
    }

    #[test]
    fn codings() {
        use Coding::{Gzip, Identity};
        for (header, coding) in [
            ("gzip", Gzip),
            ("gzip, deflate, br", Gzip),
            ("GZIP;Q=0.5", Gzip),
            ("x-gzip", Gzip),
            ("*", Gzip),
            ("*;q=0.1", Gzip),
            ("identity;q=0.5, gzip;q=1.0", Gzip),
            ("identity;q=1, gzip;q=1", Gzip),
            ("identity;q=0, gzip;q=0.1", Gzip),
            ("deflate, gzip;q=1.0, *;q=0.5", Gzip),
            ("", Identity),
            ("identity", Identity),
            ("deflate, br", Identity),
            ("gzip;q=0", Identity),
            ("gzip;q=0.000, *", Identity),
            ("*;q=0", Identity),
            ("identity, gzip;q=0.5", Identity),
            ("gzip;q=nonsense", Identity),
            ("gzippy", Identity),
        ] {
            assert_eq!(negotiate_coding(Some(header)), coding, "{header}");
        }
        assert_eq!(Gzip.content_encoding(), Some("gzip"));
        assert_eq!(Identity.content_encoding(), None);
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_where_it_is_preferred() {
        use Coding::{Gzip, Identity, Zstd};
        for (header, coding) in [
            ("zstd", Zstd),
            ("ZSTD;q=0.3", Zstd),
            ("gzip;q=0.5, zstd;q=0.8", Zstd),
            ("gzip;q=0, zstd;q=0.1, identity;q=0", Zstd),
            ("gzip, deflate, br, zstd", Gzip),
            ("zstd, *;q=0.5", Zstd),
            ("zstd;q=0.5, *", Gzip),
            ("zstd;q=0.5, identity", Identity),
            ("zstd;q=0", Identity),
        ] {
            assert_eq!(negotiate_coding(Some(header)), coding, "{header}");
        }
        assert_eq!(Zstd.content_encoding(), Some("zstd"));
    }

    quickcheck! {
        fn any_header_has_an_answer(accept: String) -> bool {
            let _ = negotiate_coding(Some(&accept));
            ROWS.iter().any(|row| row.wire == negotiate(Some(&accept)).wire)
        }
        fn order_does_not_matter_where_weights_differ(weights: Vec<u8>) -> bool {
            let ranges = ["application/openmetrics-text;version=1.0.0", "text/plain;version=0.0.4", "text/plain;version=1.0.0"];
            let mut header: Vec<String> = Vec::new();
            for (range, weight) in ranges.iter().zip(&weights) {
                header.push(format!("{range};q=0.{weight:03}"));
            }
            let mut sorted = weights.get(..weights.len().min(3)).unwrap_or_default().to_vec();
            sorted.sort_unstable();
            let tied = sorted.windows(2).any(|w| w.first() == w.last());
            let forward = negotiate(Some(&header.join(",")));
            header.reverse();
            tied || forward == negotiate(Some(&header.join(",")))
        }
    }
}
