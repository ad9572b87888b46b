//! Values of OpenMetrics 2.0 that have parts: summaries and histograms.

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::char;

use super::{
    Composite, CompositeKind, Cx, Located, Parsed, RawNative, RawSide, fail, integer, is_blank,
    non_negative_integer, number, realnumber, want,
};
use crate::format::text::numeral;
use crate::model::Number;

impl<'a> Cx<'a> {
    /// `"{" composite-value "}"`
    pub(super) fn composite_value(&self, i: &'a str) -> Parsed<'a, Composite> {
        let i = i.strip_prefix('{').unwrap_or(i);
        let mut composite = Composite::default();
        let is_gauge = i.starts_with("gcount");
        let (count, sum) = if is_gauge { ("gcount", "gsum") } else { ("count", "sum") };
        if is_gauge {
            composite.kind = CompositeKind::GaugeHistogram;
        }
        let mixed = i.starts_with("gsum");
        let mix = if mixed { "OM2-GHI-01" } else { missing_or_misplaced(i, count, "OM2-HIS-02") };
        let (i, ()) = field(i, count, mix, "`count:` or `gcount:`")?;
        let (i, value) = self.part_number(i)?;
        composite.count = value;
        let (i, ()) = comma(i, "OM2-HIS-02")?;
        let mixed = i.starts_with(if is_gauge { "sum" } else { "gsum" });
        let mix = if mixed { "OM2-GHI-01" } else { missing_or_misplaced(i, sum, "OM2-HIS-02") };
        let (i, ()) = field(i, sum, mix, if is_gauge { "`gsum:`" } else { "`sum:`" })?;
        let (i, value) = self.part_number(i)?;
        composite.sum = value;
        let (mut i, ()) = comma(i, "OM2-HIS-01")?;
        if !is_gauge && i.starts_with("quantile") {
            composite.kind = CompositeKind::Summary;
            let (rest, quantiles) = self.quantiles(i)?;
            composite.quantiles = quantiles;
            i = rest;
        } else {
            let has_native = i.starts_with("schema");
            if has_native {
                let (rest, native) = self.native_buckets(i)?;
                composite.native = Some(native);
                i = rest;
            }
            if !has_native || i.starts_with(',') {
                if has_native {
                    i = comma(i, "OM2-HIS-03")?.0;
                }
                let rule = native_order_rule(i);
                let (rest, ()) = field(
                    i,
                    "bucket",
                    rule,
                    if has_native { "`bucket:`" } else { "`schema:`, `bucket:` or `quantile:`" },
                )?;
                let (rest, buckets) = self.classic_buckets(rest)?;
                composite.buckets = Some(buckets);
                i = rest;
                if i.starts_with(",schema") {
                    return fail(i, "OM2-NH-02", "the native fields before `bucket:`");
                }
            }
        }
        let rule = if composite.kind == CompositeKind::Summary { "OM2-SUM-01" } else { "OM2-HIS-03" };
        let (rest, _) = want(char('}'), i, rule_in_composite(i, rule), "'}'")?;
        if !rest.is_empty() && !rest.starts_with(' ') {
            return fail(rest, self.rule_at(rest, self.ids.blank), "a space or the end of the line");
        }
        Ok((rest, composite))
    }

    pub(super) fn part_number(&self, i: &'a str) -> Parsed<'a, Located<Number>> {
        let (rest, raw) = want(number, i, rule_in_composite(i, self.number_rule(i, None)), "a number")?;
        Ok((rest, Located { value: numeral::number(raw), span: self.span(i, rest) }))
    }

    pub(super) fn part_real(
        &self,
        i: &'a str,
        rule: &'static str,
        expected: &'static str,
    ) -> Parsed<'a, Located<f64>> {
        let (rest, raw) = want(realnumber, i, rule_in_composite(i, rule), expected)?;
        Ok((rest, Located { value: numeral::number(raw).as_f64(), span: self.span(i, rest) }))
    }

    /// `cs-quantile`
    pub(super) fn quantiles(&self, i: &'a str) -> Parsed<'a, Vec<(Located<f64>, Located<Number>)>> {
        let (i, ()) = field(i, "quantile", "OM2-SUM-01", "`quantile:`")?;
        let mut quantiles = Vec::new();
        let (i, ()) = list(i, "OM2-SUM-01", |i| {
            let (i, quantile) = self.part_real(i, "OM2-SUM-03", "a quantile from 0 to 1")?;
            let (i, _) = want(char(':'), i, rule_in_composite(i, "OM2-SUM-01"), "':' and a value")?;
            let (i, value) = self.part_number(i)?;
            quantiles.push((quantile, value));
            Ok((i, ()))
        })?;
        Ok((i, quantiles))
    }

    /// `classic-buckets`, after the field's name.
    pub(super) fn classic_buckets(&self, i: &'a str) -> Parsed<'a, Vec<(Located<f64>, Located<Number>)>> {
        let mut buckets: Vec<(Located<f64>, Located<Number>)> = Vec::new();
        let begin = i;
        let (i, ()) = list(i, "OM2-HIS-05", |i| {
            if buckets.last().is_some_and(|(bound, _)| bound.value == f64::INFINITY) {
                return fail(i, "OM2-HIS-06", "no bucket after `+Inf`");
            }
            let (rest, raw) = want(
                alt((tag("+Inf"), tag("-Inf"), realnumber)),
                i,
                rule_in_composite(i, "OM2-HIS-06"),
                "an upper bound: a number or `+Inf`",
            )?;
            if raw == "-Inf" && !buckets.is_empty() {
                return fail(i, "OM2-HIS-06", "`-Inf` before all other bounds");
            }
            let value = match raw {
                "+Inf" => f64::INFINITY,
                "-Inf" => f64::NEG_INFINITY,
                // A bound that leaves the range of doubles is still no `+Inf`, which ends the list.
                _ => numeral::number(raw).as_f64().clamp(f64::MIN, f64::MAX),
            };
            let bound = Located { value, span: self.span(i, rest) };
            let (rest, _) = want(char(':'), rest, rule_in_composite(rest, "OM2-HIS-01"), "':' and a count")?;
            let (rest, count) = self.part_number(rest)?;
            buckets.push((bound, count));
            Ok((rest, ()))
        })?;
        if buckets.last().is_none_or(|(bound, _)| bound.value != f64::INFINITY) {
            return fail(begin, "OM2-HIS-05", "a `+Inf` bucket at the end");
        }
        Ok((i, buckets))
    }

    /// `native-buckets`
    pub(super) fn native_buckets(&self, i: &'a str) -> Parsed<'a, RawNative> {
        let mut native = RawNative::default();
        let (i, ()) = field(i, "schema", "OM2-NH-01", "`schema:`")?;
        let (rest, raw) = want(integer, i, rule_in_composite(i, "OM2-NH-04"), "a schema from -4 to 8")?;
        native.schema = Located { value: numeral::integer(raw), span: self.span(i, rest) };
        let (i, ()) = comma(rest, if rest.starts_with(['.', 'e', 'E']) { "OM2-NH-04" } else { "OM2-NH-01" })?;
        let (i, ()) = field(i, "zero_threshold", "OM2-NH-01", "`zero_threshold:`")?;
        let (i, threshold) = self.part_real(i, "OM2-NH-08", "a threshold of zero or more")?;
        native.zero_threshold = threshold;
        let (i, ()) = comma(i, "OM2-NH-01")?;
        let (i, ()) = field(i, "zero_count", "OM2-NH-01", "`zero_count:`")?;
        let (mut i, count) = self.part_number(i)?;
        native.zero_count = count;
        for (is_negative, spans, buckets) in
            [(true, "negative_spans", "negative_buckets"), (false, "positive_spans", "positive_buckets")]
        {
            let Some(after) = i.strip_prefix(',') else { break };
            if !after.starts_with(spans) {
                if after.starts_with(buckets) {
                    return fail(after, "OM2-NH-07", "spans before the buckets they are for");
                }
                continue;
            }
            let (rest, side) = self.native_side(after, spans, buckets)?;
            if is_negative {
                native.negative = Some(side);
            } else {
                native.positive = Some(side);
            }
            i = rest;
        }
        Ok((i, native))
    }

    /// `nh-negative-spans "," nh-negative-buckets`, and the same for positive.
    pub(super) fn native_side(
        &self,
        i: &'a str,
        spans: &'static str,
        buckets: &'static str,
    ) -> Parsed<'a, RawSide> {
        let mut side = RawSide::default();
        let first = i;
        let (i, ()) = field(i, spans, "OM2-NH-01", "spans")?;
        let (i, ()) = list(i, "OM2-NH-01", |i| {
            let (rest, raw) = if side.spans.is_empty() {
                want(integer, i, rule_in_composite(i, "OM2-NH-01"), "an offset, a whole number")?
            } else {
                let rule = if i.starts_with('-') { "OM2-NH-06" } else { "OM2-NH-01" };
                want(non_negative_integer, i, rule_in_composite(i, rule), "an offset of zero or more")?
            };
            let offset = Located { value: numeral::integer(raw), span: self.span(i, rest) };
            let (i, _) = want(char(':'), rest, rule_in_composite(rest, "OM2-NH-01"), "':' and a length")?;
            let (rest, raw) =
                want(non_negative_integer, i, rule_in_composite(i, "OM2-NH-05"), "a length of zero or more")?;
            let length = Located { value: numeral::integer(raw), span: self.span(i, rest) };
            side.spans.push((offset, length));
            Ok((rest, ()))
        })?;
        let (i, ()) = comma(i, "OM2-NH-07")?;
        let (i, ()) = field(i, buckets, "OM2-NH-07", "the buckets of the spans")?;
        let (i, ()) = list(i, "OM2-NH-01", |i| {
            let (rest, count) = self.part_number(i)?;
            side.buckets.push(count);
            Ok((rest, ()))
        })?;
        side.span = self.span(first, i);
        Ok((i, side))
    }
}

fn native_order_rule(rest: &str) -> &'static str {
    if rest.starts_with("positive") || rest.starts_with("negative") || rest.starts_with("zero") {
        "OM2-NH-01"
    } else if ["count", "sum", "gcount", "gsum", "schema", "bucket", "quantile", "]", "}"]
        .iter()
        .any(|known| rest.starts_with(known))
    {
        "OM2-HIS-03"
    } else {
        "OM2-HIS-01" // no histogram has such a field
    }
}

fn rule_in_composite(rest: &str, rule: &'static str) -> &'static str {
    if rest.starts_with(is_blank) { "OM2-VAL-04" } else { rule }
}

/// The rule of a field that is not where it should be: there later, it breaks the order.
fn missing_or_misplaced(rest: &str, field: &str, missing: &'static str) -> &'static str {
    let later =
        rest.split([',', '}']).any(|part| part.split_once(':').is_some_and(|(name, _)| name == field));
    if later { "OM2-HIS-03" } else { missing }
}

/// `name ":"`
fn field<'a>(i: &'a str, name: &'static str, rule: &'static str, expected: &'static str) -> Parsed<'a, ()> {
    let rule = rule_in_composite(i, rule);
    let (rest, _) = want(tag(name), i, rule, expected)?;
    let (rest, _) = want(char(':'), rest, rule_in_composite(rest, rule), "':'")?;
    Ok((rest, ()))
}

fn comma<'a>(i: &'a str, rule: &'static str) -> Parsed<'a, ()> {
    let (i, _) = want(char(','), i, rule_in_composite(i, rule), "','")?;
    Ok((i, ()))
}

/// `"[" ... "]"` of items with commas between; `item` parses one and keeps it.
fn list<'a>(
    i: &'a str,
    rule: &'static str,
    mut item: impl FnMut(&'a str) -> Parsed<'a, ()>,
) -> Parsed<'a, ()> {
    let (i, _) = want(char('['), i, rule_in_composite(i, rule), "'['")?;
    if let Some(rest) = i.strip_prefix(']') {
        return Ok((rest, ()));
    }
    let (mut i, ()) = item(i)?;
    loop {
        if let Some(rest) = i.strip_prefix(']') {
            return Ok((rest, ()));
        }
        let (rest, _) = want(char(','), i, rule_in_composite(i, rule), "',' or ']'")?;
        i = item(rest)?.0;
    }
}
