//! Devices that are broken, and devices that mean harm: what they tell is told whole, or it is an error, and it ends.

use std::time::Duration;

use openmetrics_snmp_bridge::asked::Failure;
use openmetrics_snmp_bridge::bridge::Options;

use super::agent::{Agent, Asked, ENTRY, GET_BULK, Table, Variable};
use super::{AUTHS, MODULES, bridge, samples, scrape_for};

/// A page that has all, or the words of a failure.
fn told(agent: &Agent, more: &str) -> Result<usize, String> {
    let bridge = bridge(&[AUTHS, MODULES, more].concat(), Options::default());
    let target = agent.address.to_string();
    let query = [("target", target.as_str()), ("module", "table")];
    match scrape_for(&bridge, &query, Duration::from_secs(60)) {
        Ok(page) => Ok(samples(&page)),
        Err(Failure::Scrape(words)) => {
            assert!(!words.contains("hunter2"), "{words}");
            Err(words)
        }
        Err(Failure::Request(words)) => panic!("{words}"),
    }
}

/// A device with 30 rows that answers what `answer` makes of a request and its sound variables.
fn device(mut answer: impl FnMut(&Asked, Vec<Variable>) -> Vec<Vec<u8>> + Send + 'static) -> Agent {
    let table = Table::new(2, 30);
    Agent::new(move |octets| {
        let asked = Asked::read(octets).unwrap();
        let variables = table.variables(&asked, 100);
        answer(&asked, variables)
    })
}

#[test]
fn errors_are_told_or_got_around() {
    for status in [2, 5, 16] {
        let agent = device(move |asked, variables| {
            let second = asked.names.iter().any(|name| name.starts_with(&[&ENTRY[..], &[2]].concat()));
            vec![if second { asked.response(status, 1, &[]) } else { asked.response(0, 0, &variables) }]
        });
        let words = told(&agent, "").unwrap_err();
        assert!(words.contains("the device answers") && words.contains("99999.1.1.2"), "{words}");
    }
    // Too big for more than three rows, and no room for all that was asked.
    let agent = device(|asked, variables| {
        let too_big = asked.kind == GET_BULK && asked.repetitions > 3;
        vec![if too_big { asked.response(1, 0, &[]) } else { asked.response(0, 0, &variables) }]
    });
    assert_eq!(told(&agent, ""), Ok(60));
    let agent = device(|asked, variables| vec![asked.response(0, 0, &variables[..1])]);
    assert_eq!(told(&agent, ""), Ok(60));
    let always = device(|asked, _| vec![asked.response(1, 0, &[])]);
    assert!(told(&always, "").unwrap_err().contains("tooBig"));
    let empty = device(|asked, _| vec![asked.response(0, 0, &[])]);
    assert!(told(&empty, "").unwrap_err().contains("without variables"));
}

#[test]
fn circles_end_whatever_is_allowed() {
    for more in ["", "    allow_nonincreasing_oids: true\n"] {
        let table = Table::new(2, 30);
        let last = [&ENTRY[..], &[1, 30]].concat();
        let agent = Agent::new(move |octets| {
            let mut asked = Asked::read(octets).unwrap();
            for name in &mut asked.names {
                if *name >= last && name.starts_with(&[&ENTRY[..], &[1]].concat()) {
                    *name = [&ENTRY[..], &[1]].concat();
                }
            }
            vec![asked.response(0, 0, &table.variables(&asked, 10))]
        });
        let words = told(&agent, more).unwrap_err();
        assert!(words.contains("goes back") || words.contains("in circles"), "{words}");
    }
}

#[test]
fn a_failed_module_costs_the_others_unless_partial_answers_are_chosen() {
    const BROKEN: [u32; 8] = [1, 3, 6, 1, 4, 1, 99_999, 9];
    let agent = device(|asked, variables| {
        let broken = asked.names.iter().any(|name| name.starts_with(&BROKEN));
        vec![if broken { asked.response(5, 1, &[]) } else { asked.response(0, 0, &variables) }]
    });
    let more = "  broken:\n    walk: [1.3.6.1.4.1.99999.9]\n    metrics: [{name: b, oid: 1.3.6.1.4.1.99999.9, type: gauge}]\n";
    let target = agent.address.to_string();
    let ask = |partial, modules| {
        let bridge = bridge(&[AUTHS, MODULES, more].concat(), Options { partial, ..Options::default() });
        let query = [("target", target.as_str()), ("module", modules)];
        scrape_for(&bridge, &query, Duration::from_secs(60))
    };
    assert!(matches!(ask(false, "broken,table"), Err(Failure::Scrape(words)) if words.contains("genErr")));
    let page = ask(true, "broken,table").unwrap();
    assert_eq!(samples(&page), 60);
    assert!(page.contains("\nsnmp_scrape_error{module=\"broken\"} 1\n"), "{page}");
    assert!(matches!(ask(true, "broken"), Err(Failure::Scrape(_))), "all that was asked for failed");
    assert!(!ask(true, "table").unwrap().contains("snmp_scrape_error{"));
}
