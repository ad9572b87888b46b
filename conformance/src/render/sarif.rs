//! SARIF 2.1.0.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::Judged;
use crate::rule::{Level, Rule};

pub(super) fn write(all: &[Judged], to: &mut dyn Write) -> io::Result<()> {
    let mut rules: BTreeMap<&str, &Rule> = BTreeMap::new();
    let mut results = Vec::new();
    for judged in all {
        for finding in &judged.verdict.findings {
            rules.insert(finding.rule.id, finding.rule);
            let region = finding.place.map(|place| {
                if place.line > 0 {
                    json!({
                        "startLine": place.line, "startColumn": place.column,
                        "endColumn": place.column + place.length.max(1) as u64,
                        "byteOffset": place.offset, "byteLength": place.length,
                    })
                } else {
                    json!({ "byteOffset": place.offset, "byteLength": place.length })
                }
            });
            let mut location = json!({ "artifactLocation": { "uri": judged.file } });
            if let (Some(region), Some(object)) = (region, location.as_object_mut()) {
                object.insert("region".to_owned(), region);
            }
            results.push(json!({
                "ruleId": finding.rule.id,
                "level": level(finding.level),
                "message": { "text": finding.message },
                "locations": [{ "physicalLocation": location }],
            }));
        }
    }
    let rules: Vec<Value> = rules
        .values()
        .map(|rule| {
            json!({
                "id": rule.id,
                "name": rule.name,
                "shortDescription": { "text": rule.summary },
                "fullDescription": { "text": rule.explain },
                "helpUri": rule.section,
                "defaultConfiguration": { "level": level(rule.level) },
            })
        })
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "omtool", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            // Columns here count bytes of UTF-8; the byte offsets beside them are exact in any case.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *to, &document)?;
    writeln!(to)
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "error",
        Level::Should => "warning",
        Level::Advice => "note",
    }
}
