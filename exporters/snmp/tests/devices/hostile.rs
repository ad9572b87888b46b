//! Devices that are broken, and devices that mean harm: what they tell is told whole, or it is an error, and it ends.

use std::time::Duration;

use openmetrics_snmp_bridge::asked::Failure;
use openmetrics_snmp_bridge::ber::{self, Writer};
use openmetrics_snmp_bridge::bridge::Options;
use openmetrics_snmp_bridge::session::Limits;

use super::agent::{Agent, Asked, COUNTER32, ENTRY, GET_BULK, RESPONSE, Table, Variable};
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

/// A change to a request that its answer is made for, and what it is.
type Alter = (&'static str, fn(&mut Asked));

#[test]
fn what_answers_nothing_is_dropped() {
    let alter: [Alter; 3] = [
        ("another community", |asked| asked.community = b"public".to_vec()),
        ("another request", |asked| asked.id = (asked.id + 1) & 0x7fff_ffff),
        ("another version", |asked| asked.version = 0),
    ];
    for (name, alter) in alter {
        let forged = move |asked: &Asked, mut variables: Vec<Variable>| {
            let mut other = asked.clone();
            alter(&mut other);
            for variable in &mut variables {
                variable.1 = (COUNTER32, vec![1]);
            }
            other.response(0, 0, &variables)
        };
        let alone = device(move |asked, variables| vec![forged(asked, variables)]);
        let words = told(&alone, "").unwrap_err();
        assert!(words.contains("messages came that were none"), "{name}: {words}");
        // In front of the right answer it changes nothing.
        let both = device(move |asked, variables| {
            vec![forged(asked, variables.clone()), asked.response(0, 0, &variables)]
        });
        assert_eq!(told(&both, ""), Ok(60), "{name}");
    }
}

#[test]
fn answers_of_another_address_are_dropped() {
    let table = Table::new(2, 30);
    let elsewhere = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let agent = Agent::with_socket(move |_, octets, from| {
        let asked = Asked::read(octets).unwrap();
        let _ = elsewhere.send_to(&asked.response(0, 0, &table.variables(&asked, 100)), from);
    });
    assert!(told(&agent, "").is_err());
}

#[test]
fn octets_that_are_no_message_are_no_answer() {
    let shapes: [fn(Vec<u8>) -> Vec<u8>; 7] = [
        |sound| sound[..sound.len() / 2].to_vec(),
        |_| Vec::new(),
        |_| vec![0x30, 0x80, 0, 0],
        |_| vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        |_| [0x30, 0x88].into_iter().chain([0xff; 8]).collect(),
        |_| [0x30, 0x82, 0xff, 0x00].repeat(15_000),
        |_| vec![0xff; 65_000],
    ];
    for shape in shapes {
        let agent = device(move |asked, variables| vec![shape(asked.response(0, 0, &variables))]);
        assert!(told(&agent, "").unwrap_err().contains("no answer about"));
    }
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
fn endless_tables_end() {
    let row = std::cell::Cell::new(0_u32);
    let agent = Agent::new(move |octets| {
        let asked = Asked::read(octets).unwrap();
        let mut variables = Vec::new();
        for _ in 0..8 {
            for name in &asked.names {
                row.set(row.get() + 1);
                variables.push(([&name[..10], &[row.get()]].concat(), (ber::OCTET_STRING, vec![b'x'; 800])));
            }
        }
        vec![asked.response(0, 0, &variables)]
    });
    let bridge = bridge(
        &[AUTHS, MODULES].concat(),
        Options { limits: Limits { rows: 5_000, ..Limits::default() }, ..Options::default() },
    );
    let target = agent.address.to_string();
    let query = [("target", target.as_str()), ("module", "table")];
    let Err(Failure::Scrape(words)) = scrape_for(&bridge, &query, Duration::from_secs(60)) else {
        panic!("it has no end")
    };
    assert!(words.contains("more than a scrape may hold"), "{words}");
}

#[test]
fn odd_values_cost_their_row_only() {
    // A name without octets, an index that is too long, nested sequences, lengths that lie: the rows around stay.
    let odd: [fn(&mut Writer); 4] = [
        |out| out.value(COUNTER32, &[]),
        |out| out.value(COUNTER32, &[1; 30]),
        |out| out.within(0x30, |out| out.within(0x30, |out| out.within(0x30, |_| {}))),
        |out| out.value(0x1f, &[0xff; 3]),
    ];
    for write in odd {
        let agent = device(move |asked, variables| {
            let third = |name: &[u32]| name.ends_with(&[1, 3]);
            vec![asked.response_with(RESPONSE, 0, 0, |out| {
                for (name, (tag, content)) in variables.iter().rev() {
                    out.within(ber::SEQUENCE, |out| {
                        if third(name) {
                            write(out);
                        } else {
                            out.value(*tag, content);
                        }
                        out.oid(name);
                    });
                }
            })]
        });
        assert_eq!(told(&agent, ""), Ok(59));
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
