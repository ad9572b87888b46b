//! From folders of MIBs and a configuration to what it stands for, whole.

use xtask::Folder;

use super::{Mibs, Options};
use crate::config::Config;

fn complete(folder: &Folder, modules: &str) -> Result<(String, Vec<String>), String> {
    let mut config = Config::parse(&format!("modules:\n{modules}")).unwrap();
    let mibs = Mibs::open(&[folder.path().to_owned()], Options::default()).unwrap();
    let warnings = mibs.complete(&mut config).map_err(|error| error.to_string())?;
    let warnings = warnings.into_iter().map(|warning| format!("{}: {}", warning.module, warning.message));
    Ok((config.to_yaml(), warnings.collect()))
}

const SMI: &str = "SNMPv2-SMI DEFINITIONS ::= BEGIN
    org OBJECT IDENTIFIER ::= { iso 3 } dod OBJECT IDENTIFIER ::= { org 6 } internet OBJECT IDENTIFIER ::= { dod 1 }
    private OBJECT IDENTIFIER ::= { internet 4 } enterprises OBJECT IDENTIFIER ::= { private 1 } END";
const TC: &str = "SNMPv2-TC DEFINITIONS ::= BEGIN
    DisplayString ::= TEXTUAL-CONVENTION DISPLAY-HINT \"255a\" STATUS current DESCRIPTION \"\" SYNTAX OCTET STRING (SIZE (0..255))
    MacAddress ::= TEXTUAL-CONVENTION DISPLAY-HINT \"1x:\" STATUS current DESCRIPTION \"\" SYNTAX OCTET STRING (SIZE (6)) END";
const ACME: &str = "ACME-MIB DEFINITIONS ::= BEGIN
    IMPORTS enterprises FROM SNMPv2-SMI DisplayString, MacAddress FROM SNMPv2-TC;
    acme OBJECT IDENTIFIER ::= { enterprises 99999 }
    acmeUptime OBJECT-TYPE SYNTAX TimeTicks MAX-ACCESS read-only STATUS current DESCRIPTION \"How long. In all.\" ::= { acme 1 }
    fanTable OBJECT-TYPE SYNTAX SEQUENCE OF FanEntry MAX-ACCESS not-accessible STATUS current DESCRIPTION \"\" ::= { acme 2 }
    fanEntry OBJECT-TYPE SYNTAX FanEntry MAX-ACCESS not-accessible STATUS current DESCRIPTION \"\" INDEX { fanAddress } ::= { fanTable 1 }
    fanAddress OBJECT-TYPE SYNTAX MacAddress MAX-ACCESS not-accessible STATUS current DESCRIPTION \"Where.\" ::= { fanEntry 1 }
    fanState OBJECT-TYPE SYNTAX INTEGER { ok(1), stuck(2) } MAX-ACCESS read-only STATUS current DESCRIPTION \"How.\" ::= { fanEntry 2 }
    fanName OBJECT-TYPE SYNTAX DisplayString MAX-ACCESS read-only STATUS current DESCRIPTION \"Who.\" ::= { fanEntry 3 }
    END";
const MORE: &str = "ACME-MORE-MIB DEFINITIONS ::= BEGIN
    IMPORTS acme, fanEntry FROM ACME-MIB;
    turnEntry OBJECT-TYPE SYNTAX TurnEntry MAX-ACCESS not-accessible STATUS current DESCRIPTION \"\" AUGMENTS { fanEntry } ::= { turnTable 1 }
    turnTable OBJECT-TYPE SYNTAX SEQUENCE OF TurnEntry MAX-ACCESS not-accessible STATUS current DESCRIPTION \"\" ::= { acme 3 }
    turns OBJECT-TYPE SYNTAX Counter64 MAX-ACCESS read-only STATUS current DESCRIPTION \"Turns\" ::= { turnEntry 1 } END";

fn folder() -> Folder {
    let folder = Folder::new("mibs");
    for (name, text) in [
        ("SMI.txt", SMI),
        ("TC", TC),
        ("acme/ACME-MIB.mib", ACME),
        ("acme/more.my", MORE),
        ("notes.txt", "No MIB."),
    ] {
        folder.write(name, text);
    }
    folder
}

#[test]
fn a_module_of_names_is_what_the_generator_makes_of_it() {
    let (yaml, warnings) = complete(&folder(),
            "  m:\n    walk: [acme]\n    retries: 1\n    lookups: [{source_indexes: [fanAddress], lookup: fanName}]\n    \
             overrides: {fanName: {ignore: true}, fanState: {type: EnumAsStateSet}, acmeUptime: {scale: 0.01}}\n",
        )
        .unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let fan = "indexes:\n      - labelname: fanAddress\n        type: PhysAddress48\n        fixed_size: 6\n      lookups:\n      \
               - labels:\n        - fanAddress\n        labelname: fanName\n        oid: \"1.3.6.1.4.1.99999.2.1.3\"\n        \
               type: DisplayString\n";
    assert_eq!(
        yaml,
        format!(
            "auths: {{}}\nmodules:\n  m:\n    walk:\n    - \"1.3.6.1.4.1.99999\"\n    metrics:\n    - name: acmeUptime\n      \
             oid: \"1.3.6.1.4.1.99999.1\"\n      type: gauge\n      help: How long - 1.3.6.1.4.1.99999.1\n      scale: 0.01\n    \
             - name: fanAddress\n      oid: \"1.3.6.1.4.1.99999.2.1.1\"\n      type: PhysAddress48\n      \
             help: Where. - 1.3.6.1.4.1.99999.2.1.1\n      {fan}    \
             - name: fanState\n      oid: \"1.3.6.1.4.1.99999.2.1.2\"\n      type: EnumAsStateSet\n      \
             help: How. - 1.3.6.1.4.1.99999.2.1.2\n      {fan}      enum_values:\n        1: ok\n        2: stuck\n    \
             - name: turns\n      oid: \"1.3.6.1.4.1.99999.3.1.1\"\n      type: counter\n      \
             help: Turns - 1.3.6.1.4.1.99999.3.1.1\n      {fan}    retries: 1\n"
        )
    );
}

#[test]
fn names_are_found_with_and_without_their_module_and_as_identifiers() {
    let folder = folder();
    let walk = |walk: &str| complete(&folder, &format!("  m: {{walk: [{walk}]}}\n")).unwrap().0;
    let table = walk("ACME-MIB::fanTable");
    assert_eq!(walk("fanTable"), table);
    assert_eq!(walk("1.3.6.1.4.1.99999.2"), table);
    assert!(walk("acmeUptime").contains("get:\n    - \"1.3.6.1.4.1.99999.1.0\""));
    // One cell of a table.
    assert!(
        walk("1.3.6.1.4.1.99999.2.1.2.6.1.2.3.4.5.6")
            .contains("get:\n    - \"1.3.6.1.4.1.99999.2.1.2.6.1.2.3.4.5.6\"")
    );
}

#[test]
fn filters_ask_for_rows() {
    let yaml = complete(
        &folder(),
        "  m:\n    walk: [turns]\n    filters: {static: [{targets: [turns], indices: ['3', '4']}]}\n",
    );
    let yaml = yaml.unwrap().0;
    assert!(
        yaml.contains("get:\n    - \"1.3.6.1.4.1.99999.3.1.1.3\"\n    - \"1.3.6.1.4.1.99999.3.1.1.4\""),
        "{yaml}"
    );
}

#[test]
fn what_is_not_there_is_told() {
    let folder = folder();
    let fails = |module: &str| complete(&folder, &format!("  m: {{{module}}}\n")).unwrap_err();
    assert_eq!(fails("walk: [fenTable]"), "module m: walk: no MIB defines \"fenTable\"");
    assert_eq!(fails("walk: [NO-MIB::fanTable]"), "module m: walk: no MIB defines \"NO-MIB::fanTable\"");
    let lookup = fails("walk: [fanTable], lookups: [{source_indexes: [fanAddress], lookup: fenName}]");
    assert_eq!(lookup, "module m: lookups: no MIB defines fenName");
    let (_, warnings) =
        complete(&folder, "  m: {walk: [fanTable], overrides: {fen: {type: gauge}}}\n").unwrap();
    assert_eq!(warnings, ["m: overrides: fen: no MIB defines it"]);
    let none = Mibs::open(&[folder.path().join("none")], Options::default()).unwrap_err().to_string();
    assert!(none.contains("none: No such file"), "{none}");
}

#[test]
fn an_identifier_given_twice_is_that_of_the_object_with_others_beneath() {
    let first = "A-MIB DEFINITIONS ::= BEGIN a OBJECT IDENTIFIER ::= { iso 7 } \
        x OBJECT-TYPE SYNTAX INTEGER ACCESS read-only ::= { a 1 } END ";
    let second = "B-MIB DEFINITIONS ::= BEGIN b OBJECT IDENTIFIER ::= { iso 7 } END ";
    for text in [[first, second].concat(), [second, first].concat()] {
        for walk in ["a", "b", "1.7"] {
            let mut config = Config::parse(&format!("modules: {{m: {{walk: [{walk}]}}}}")).unwrap();
            Mibs::complete_from(text.as_bytes(), &mut config, Options::default()).unwrap();
            let names: Vec<_> = config.modules["m"].metrics.iter().map(|metric| &*metric.name).collect();
            assert_eq!(names, ["x"], "{walk} in {text}");
        }
    }
}

#[test]
fn units_are_told_where_names_are_openmetrics() {
    let folder = folder();
    folder.write(
        "UNITS-MIB",
        "UNITS-MIB DEFINITIONS ::= BEGIN IMPORTS acme FROM ACME-MIB;
        load OBJECT-TYPE SYNTAX INTEGER UNITS \"percent\" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { acme 4 }
        sent OBJECT-TYPE SYNTAX Counter64 UNITS \"octets\" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { acme 5 }
        rate OBJECT-TYPE SYNTAX Gauge32 UNITS \"octets per second\" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { acme 6 }
        volts OBJECT-TYPE SYNTAX INTEGER UNITS \"0.1 Volt DC\" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { acme 7 } END",
    );
    let measures = |naming: &str, overrides: &str| {
        let walk = "[acmeUptime, load, sent, rate, volts]";
        let module =
            format!("  m:\n    walk: {walk}\n    naming: {naming}\n    overrides: {{{overrides}}}\n");
        let (yaml, warnings) = complete(&folder, &module).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let told = yaml.lines().filter_map(|line| {
            let (key, value) = line.trim_start_matches([' ', '-']).split_once(": ")?;
            ["name", "scale", "unit"].contains(&key).then(|| value.to_owned())
        });
        told.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(measures("snmp_exporter", ""), "acmeUptime load sent rate volts");
    assert_eq!(
        measures("openmetrics", ""),
        "acmeUptime 0.01 seconds load 0.01 ratio sent bytes rate volts 0.1 volts"
    );
    assert_eq!(
        measures("openmetrics", "load: {scale: 1}, volts: {scale: 0.1, unit: volts}"),
        "acmeUptime 0.01 seconds load 1.0 sent bytes rate volts 0.1 volts"
    );
}

#[test]
fn labels_have_words_for_numbers_if_that_is_chosen() {
    let folder = folder();
    let lookup = |enum_labels, more| {
        let text =
            "modules: {m: {walk: [fanName], lookups: [{source_indexes: [fanAddress], lookup: fanState}]";
        let mut config = Config::parse(&format!("{text}{more}}}}}")).unwrap();
        let mibs = Mibs::open(&[folder.path().to_owned()], Options { enum_labels }).unwrap();
        mibs.complete(&mut config).unwrap();
        let yaml = config.to_yaml();
        let (_, lookup) = yaml.split_once("labelname: fanState").unwrap();
        let words: Vec<&str> = lookup.split_whitespace().collect();
        words.join(" ")
    };
    let oid = "oid: \"1.3.6.1.4.1.99999.2.1.2\" type:";
    // As the released snmp_exporter reads it.
    assert_eq!(lookup(false, ""), format!("{oid} gauge"));
    assert_eq!(lookup(true, ""), format!("{oid} EnumAsInfo enum_values: 1: ok 2: stuck"));
    assert_eq!(
        lookup(true, ", overrides: {fanState: {type: gauge}}"),
        format!("{oid} gauge enum_values: 1: ok 2: stuck")
    );
    assert_eq!(
        lookup(false, ", overrides: {fanState: {type: EnumAsInfo}}"),
        format!("{oid} EnumAsInfo enum_values: 1: ok 2: stuck")
    );
}

#[test]
fn of_an_identifier_only_what_can_be_there_is_read() {
    let folder = folder();
    let module = |name: &str, body: &str| {
        let import = "IMPORTS enterprises FROM SNMPv2-SMI;";
        folder.write(name, &format!("{name} DEFINITIONS ::= BEGIN {import} {body} END"));
    };
    let leaf = "OBJECT-TYPE SYNTAX INTEGER MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::=";
    module("OTHER-MIB", "other OBJECT IDENTIFIER ::= { enterprises 88888 }");
    module(
        "NUMBERS-MIB",
        &format!("n OBJECT IDENTIFIER ::= {{ 1 3 6 1 4 1 99999 7 }} nLeaf {leaf} {{ n 1 }}"),
    );
    module("WORDS-MIB", &format!("wLeaf {leaf} {{ iso org(3) dod(6) internet(1) p(4) e(1) acme(99999) 8 }}"));
    module("ORPHAN-MIB", &format!("orphan {leaf} {{ acme 9 }}"));
    module(
        "ALIAS-MIB",
        &format!("alias OBJECT IDENTIFIER ::= {{ acme }} aLeaf {leaf} {{ alias -- so --\n 10 }}"),
    );
    module("BESIDE-MIB", "beside OBJECT IDENTIFIER ::= { iso org(3) dod(6) internet(1) p(4) e(1) 88888 }");
    let mibs = Mibs::open(&[folder.path().to_owned()], Options::default()).unwrap();
    let read = |walk: &str| {
        let config = Config::parse(&format!("modules: {{m: {{walk: [{walk}]}}}}")).unwrap();
        let scope = mibs.scope(&[config.modules["m"].named.as_ref().unwrap()]).unwrap();
        let mut modules: Vec<_> = scope.modules().map(str::to_owned).collect();
        modules.sort();
        modules.join(" ")
    };
    assert_eq!(
        read("1.3.6.1.4.1.99999"),
        "ACME-MIB ACME-MORE-MIB ALIAS-MIB BESIDE-MIB NUMBERS-MIB ORPHAN-MIB SNMPv2-SMI SNMPv2-TC WORDS-MIB"
    );
    let everything = read("1.3.6.1.4");
    assert!(everything.contains("OTHER-MIB"), "{everything}");
    let names = |walk: &str| complete(&folder, &format!("  m: {{walk: [{walk}]}}\n")).unwrap().0;
    let of_all = names("1.3.6.1.4.1.99999, 1.3.6.1.4.1.88888, 1.3.6");
    for leaf in ["turns", "nLeaf", "wLeaf", "orphan", "aLeaf"] {
        assert!(names("1.3.6.1.4.1.99999").contains(&format!("name: {leaf}\n")), "{leaf}");
        assert!(of_all.contains(&format!("name: {leaf}\n")), "{leaf}");
    }
}

#[test]
fn a_name_given_twice_is_to_others_the_place_that_net_snmp_takes() {
    let (x, models) = ("x OBJECT IDENTIFIER ::= { a 1 } ", "models OBJECT IDENTIFIER ::= { a 9 } ");
    for (first, second, oid) in [(x, models, "1.7.1.3"), (models, x, "1.7.9.2.3")] {
        let text = format!(
            "A-MIB DEFINITIONS ::= BEGIN a OBJECT IDENTIFIER ::= {{ iso 7 }} {first}{second} \
             x OBJECT IDENTIFIER ::= {{ models 2 }} END B-MIB DEFINITIONS ::= BEGIN IMPORTS x FROM A-MIB; \
             leaf OBJECT-TYPE SYNTAX INTEGER ACCESS read-only ::= {{ x 3 }} END "
        );
        let mut config = Config::parse("modules: {m: {walk: [a]}}").unwrap();
        Mibs::complete_from(text.as_bytes(), &mut config, Options::default()).unwrap();
        let oids: Vec<_> = config.modules["m"].metrics.iter().map(|metric| metric.oid.to_string()).collect();
        assert_eq!(oids, [oid]);
    }
}
