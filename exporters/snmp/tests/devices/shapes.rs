//! Answers whose content is wrong: values, names, variables and counts that no sound device sends.

use openmetrics_snmp_bridge::ber::{self, Writer};

use super::agent::{Agent, Asked, COUNTER32, ENTRY, RESPONSE, Table, Variable};
use super::cases::{Case, Outcome, judge};

/// The third row of both columns, or what stands in its place.
fn is_third((name, _): &Variable) -> bool {
    name.starts_with(&ENTRY) && name.get(10) == Some(&3)
}

/// Writes an answer by hand: these octets for the name and the value of the third row, the sound ones for the rest.
fn with_third(
    asked: &Asked,
    variables: &[Variable],
    name: Option<&[u8]>,
    value: Option<(u8, &[u8])>,
) -> Vec<u8> {
    asked.response_with(RESPONSE, 0, 0, |out| {
        for variable in variables.iter().rev() {
            let (sound_name, (tag, content)) = variable;
            let third = is_third(variable);
            out.within(ber::SEQUENCE, |out| {
                match value.filter(|_| third) {
                    Some((tag, content)) => out.value(tag, content),
                    None => out.value(*tag, content),
                }
                match name.filter(|_| third) {
                    Some(name) => out.value(ber::OBJECT_IDENTIFIER, name),
                    None => out.oid(sound_name),
                }
            });
        }
    })
}

/// The encoded name of the third row of a column with these octets after it.
fn third_and(more: &[u8]) -> Vec<u8> {
    let mut out = Writer::new();
    out.oid(&[&ENTRY[..], &[1, 3]].concat());
    [&out.finish()[2..], more].concat()
}

/// What a device makes of a request and its sound answer's variables.
type Answer = fn(&Asked, Vec<Variable>) -> Vec<u8>;

/// A device with 30 rows in two columns, that sends what `answers` makes.
fn case(
    name: &'static str,
    answers: impl Fn(&Asked, Vec<Variable>) -> Vec<Vec<u8>> + Send + 'static,
    outcome: Outcome,
) -> Case {
    let table = Table::new(2, 30);
    let agent = Agent::new(move |octets| {
        let asked = Asked::read(octets).unwrap();
        let variables = table.variables(&asked, 100);
        answers(&asked, variables)
    });
    Case::udp(name, agent, outcome)
}

fn each<const N: usize>(cases: [(&'static str, Answer, Outcome); N]) {
    judge(&cases.map(|(name, answer, outcome)| case(name, move |a, v| vec![answer(a, v)], outcome)));
}

/// Alone, these are as no answer; in front of the right one they change nothing.
fn dropped<const N: usize>(answers: [(&'static str, Answer); N]) {
    let silent = Outcome::Silent("messages came that were none");
    let alone = answers.map(|(name, answer)| case(name, move |a, v| vec![answer(a, v)], silent));
    let both = answers.map(|(name, answer)| {
        let both = move |a: &Asked, v: Vec<Variable>| vec![answer(a, v.clone()), a.response(0, 0, &v)];
        case(name, both, Outcome::Told(60))
    });
    let all: Vec<Case> = alone.into_iter().chain(both).collect();
    judge(&all);
}

#[test]
fn one_wrong_row_costs_that_row() {
    use Outcome::ToldBut;
    let malformed = ToldBut(58, "malformed");
    let cases: [(&'static str, Answer, Outcome); 12] = [
        ("an integer without octets", |a, v| with_third(a, &v, None, Some((ber::INTEGER, &[]))), malformed),
        ("an integer of 9 octets", |a, v| with_third(a, &v, None, Some((ber::INTEGER, &[1; 9]))), malformed),
        ("a counter of 30 octets", |a, v| with_third(a, &v, None, Some((COUNTER32, &[1; 30]))), malformed),
        ("an address of 3 octets", |a, v| with_third(a, &v, None, Some((0x40, &[1; 3]))), malformed),
        ("a tag of nobody", |a, v| with_third(a, &v, None, Some((0x49, &[1]))), malformed),
        ("a tag of several octets", |a, v| with_third(a, &v, None, Some((0x1f, &[0xff; 3]))), malformed),
        ("a sequence", |a, v| with_third(a, &v, None, Some((ber::SEQUENCE, &[0x30, 0]))), malformed),
        ("text", |a, v| with_third(a, &v, None, Some((ber::OCTET_STRING, b"many"))), Outcome::Told(58)),
        ("nothing", |a, v| with_third(a, &v, None, Some((ber::NULL, &[]))), Outcome::Told(58)),
        ("200 arcs", |a, v| with_third(a, &v, Some(&third_and(&[1; 200])), None), ToldBut(58, "name")),
        (
            "an arc of 35 bits",
            |a, v| with_third(a, &v, Some(&third_and(&[0xff, 0xff, 0xff, 0xff, 0x7f])), None),
            ToldBut(58, "name"),
        ),
        (
            "an arc without end",
            |a, v| with_third(a, &v, Some(&third_and(&[0xff; 4])), None),
            ToldBut(58, "name"),
        ),
    ];
    each(cases);
}

#[test]
fn an_exception_in_the_middle_is_not_the_end() {
    let exceptions: [(&'static str, Answer); 3] = [
        ("noSuchObject", |a, v| with_third(a, &v, None, Some((0x80, &[])))),
        ("noSuchInstance", |a, v| with_third(a, &v, None, Some((0x81, &[])))),
        ("endOfMibView, once", |a, v| with_third(a, &v, None, Some((0x82, &[])))),
    ];
    each(exceptions.map(|(name, answer)| (name, answer, Outcome::Told(58))));
}

/// An answer with a list of variables that is made of these octets.
fn with_list(asked: &Asked, tag: u8, list: &[u8]) -> Vec<u8> {
    let mut out = Writer::new();
    out.within(ber::SEQUENCE, |out| {
        out.within(RESPONSE, |out| {
            out.value(tag, list);
            out.integer(0);
            out.integer(0);
            out.integer(asked.id);
        });
        out.octets(&asked.community);
        out.integer(asked.version);
    });
    out.finish()
}

#[test]
fn lists_that_cannot_be_read_are_no_answer() {
    // The name of the first row of the first column.
    const NAME: [u8; 14] = [6, 12, 0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1, 1, 1, 1];
    dropped([
        ("a set of variables", |a, _| with_list(a, 0x31, &[])),
        ("a list that is a number", |a, _| with_list(a, ber::INTEGER, &[0])),
        ("octets in the list", |a, _| with_list(a, ber::SEQUENCE, &[0xff; 20])),
        ("a variable that is longer than the list", |a, _| with_list(a, ber::SEQUENCE, &[0x30, 0x7f, 6, 0])),
        ("a variable of no definite length", |a, _| with_list(a, ber::SEQUENCE, &[0x30, 0x80, 0, 0])),
        ("a variable without a value", |a, _| {
            with_list(a, ber::SEQUENCE, &[&[0x30, 14], &NAME[..]].concat())
        }),
        ("a variable without a name", |a, _| with_list(a, ber::SEQUENCE, &[0x30, 3, 0x41, 1, 1])),
        ("a name that is a text", |a, _| with_list(a, ber::SEQUENCE, &[0x30, 6, 4, 1, b'x', 0x41, 1, 1])),
        ("a value that claims 4 GiB", |a, _| {
            let value = [0x41, 0x84, 0xff, 0xff, 0xff, 0xff];
            with_list(a, ber::SEQUENCE, &[&[0x30, 20], &NAME[..], &value].concat())
        }),
    ]);
}

#[test]
fn what_is_not_asked_for_is_no_answer() {
    /// The sound answer to a request that is a bit different.
    fn to(a: &Asked, v: &[Variable], change: fn(&mut Asked)) -> Vec<u8> {
        let mut other = a.clone();
        change(&mut other);
        other.response(0, 0, v)
    }
    dropped([
        ("a GET", |a, _| a.response_with(0xa0, 0, 0, |_| {})),
        ("a trap", |a, _| a.response_with(0xa7, 0, 0, |_| {})),
        ("a report without variables", |a, _| a.response_with(0xa8, 0, 0, |_| {})),
        ("a data unit of nobody", |a, _| a.response_with(0xaf, 0, 0, |_| {})),
        ("another community", |a, v| to(a, &v, |other| other.community = b"public".to_vec())),
        ("no community", |a, v| to(a, &v, |other| other.community.clear())),
        ("another request", |a, v| to(a, &v, |other| other.id ^= 1)),
        ("an id of 64 bits", |a, v| to(a, &v, |other| other.id += 1 << 32)),
        ("version 1", |a, v| to(a, &v, |other| other.version = 0)),
        ("a version of 64 bits", |a, v| to(a, &v, |other| other.version += 1 << 32)),
    ]);
}

#[test]
fn errors_of_nobody_are_errors() {
    let cases: [(&'static str, Answer, &'static str); 5] = [
        ("status 99", |a, _| a.response(99, 1, &[]), "error status 99 at 1.3.6.1.4.1.99999.1.1"),
        ("status -1", |a, _| a.response(-1, 1, &[]), "error status -1"),
        ("an index of nothing", |a, _| a.response(5, 200, &[]), "genErr"),
        ("a negative index", |a, _| a.response(2, -1, &[]), "noSuchName"),
        ("an error and variables", |a, v| a.response(5, 1, &v), "genErr"),
    ];
    each(cases.map(|(name, answer, words)| (name, answer, Outcome::Fails(words))));
}

#[test]
fn octets_that_are_no_message_are_no_answer() {
    dropped([
        ("half of it", |a, v| {
            let mut half = a.response(0, 0, &v);
            half.truncate(half.len() / 2);
            half
        }),
        ("nothing", |_, _| Vec::new()),
        ("no definite length", |_, _| vec![0x30, 0x80, 0, 0]),
        ("4 GiB claimed", |_, _| vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        ("2^64 octets claimed", |_, _| [&[0x30, 0x88], &[0xff; 8][..]].concat()),
        ("a length of 127 octets", |_, _| vec![0x30, 0xff, 1, 1]),
        ("15,000 levels", |_, _| [0x30, 0x82, 0xff, 0x00].repeat(15_000)),
        ("ones", |_, _| vec![0xff; 65_000]),
    ]);
}

#[test]
fn more_than_was_asked_for_is_taken() {
    let table = Table::new(2, 2_000);
    let agent = Agent::new(move |octets| {
        let asked = Asked { repetitions: 1_500, ..Asked::read(octets).unwrap() };
        vec![asked.response(0, 0, &table.variables(&asked, 2_600))]
    });
    judge(&[
        Case::udp("thousands of variables", agent, Outcome::Told(4_000)),
        case(
            "the largest datagram there is",
            |a, v| {
                vec![with_third(a, &v[..v.len().min(6)], None, Some((ber::OCTET_STRING, &[b'x'; 32_000])))]
            },
            Outcome::Told(58),
        ),
    ]);
}
