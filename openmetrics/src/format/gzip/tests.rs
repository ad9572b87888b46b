//! What flate2 reads back is the judge; sizes are compared with its level 6.

use std::fmt::Write as _;
use std::io::Read as _;

use quickcheck::quickcheck;

use super::*;

fn unzip(zipped: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(zipped).read_to_end(&mut body).unwrap();
    body
}

fn zip(compressor: &mut Compressor, body: &[u8]) -> Vec<u8> {
    let mut zipped = b"before".to_vec();
    compressor.compress(body, &mut zipped);
    assert_eq!(unzip(&zipped[6..]), body);
    zipped.split_off(6)
}

/// Pages of counters, one for each call of `value`.
fn page(series: impl Iterator<Item = u32>, value: impl Fn(u32) -> u64) -> String {
    let mut page = String::from("# TYPE http_requests counter\n# HELP http_requests Requests.\n");
    for i in series {
        let method = ["GET", "PUT", "POST", "DELETE"][i as usize % 4];
        let status = [200, 404, 500][i as usize % 3];
        let (path, value) = (i / 4, value(i));
        let _ = writeln!(
            page,
            "http_requests_total{{method=\"{method}\",path=\"/api/v1/resource/{path}\",status=\"{status}\"}} {value}"
        );
    }
    page + "# EOF\n"
}

fn level_6(body: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap().len()
}

fn noise(i: u64) -> u64 {
    i.wrapping_add(0x9e37_79b9).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

#[test]
fn every_scrape_is_valid_and_not_much_larger_than_level_6() {
    let mut compressor = Compressor::new();
    for scrape in 0..4 {
        let body = page(0..5000, |i| noise(u64::from(i) + scrape) << scrape);
        let size = zip(&mut compressor, body.as_bytes()).len();
        let limit = level_6(body.as_bytes()) * 117 / 100;
        assert!(size <= limit, "scrape {scrape}: {size} bytes, at most {limit}");
    }
    assert_eq!(compressor.plan.unwrap().planned, 0, "the plan of the first body fits all");
}

#[test]
fn churn_costs_what_churned() {
    let mut compressor = Compressor::new();
    zip(&mut compressor, page(0..20_000, |_| 1).as_bytes());
    let all = compressor.plan.as_ref().unwrap().segments;
    // Gone from the front, from the middle, and more at the end.
    for (scrape, gone) in [0, 7_000, 19_990].into_iter().enumerate() {
        let body = page((0..20_010).filter(|i| *i != gone && *i < 20_000 + scrape as u32), u64::from);
        let before = compressor.plan.as_ref().unwrap().planned;
        zip(&mut compressor, body.as_bytes());
        let planned = compressor.plan.as_ref().unwrap().planned - before;
        assert!(planned < all / 4, "{planned} segments of {all} were planned anew");
    }
}

#[test]
fn a_plan_that_fits_no_more_is_made_anew() {
    let mut compressor = Compressor::new();
    zip(&mut compressor, page(0..3000, |_| 1).as_bytes());
    let other =
        "# HELP x\nx{a=\"b}\\\" \"} 1 # {t=\"1\"} 0.5\nno_labels 5\n{\"q.x\",a=\"}\"} 1 2\n".repeat(1000);
    zip(&mut compressor, other.as_bytes());
    assert!(compressor.plan.as_ref().unwrap().is_stale());
    zip(&mut compressor, other.as_bytes());
    assert_eq!(compressor.plan.as_ref().unwrap().planned, 0);
}

#[test]
fn what_is_small_or_no_text_goes_to_the_ordinary_compressor() {
    let mut compressor = Compressor::new();
    for body in [Vec::new(), b"up 1\n".to_vec(), vec![0; 100_000], vec![b'\n'; 100_000], b"x".repeat(100_000)]
    {
        zip(&mut compressor, &body);
    }
    let random: Vec<u8> = (0..100_000).map(|i| noise(i) as u8).collect();
    zip(&mut compressor, &random);
}

#[test]
fn values_may_grow_out_of_every_bound() {
    let mut compressor = Compressor::new();
    zip(&mut compressor, page(0..2000, |_| 1).as_bytes());
    let long = "9".repeat(3000);
    let body = page(0..2000, |_| 1).replace("\"} 1\n", &format!("\"}} {long}\n"));
    zip(&mut compressor, body.as_bytes());
}

#[test]
fn text_that_is_longer_than_what_references_reach_comes_back() {
    let long: String = (0..45_000).map(|i| char::from(b'a' + noise(i / 3) as u8 % 26)).collect();
    let mut compressor = Compressor::new();
    for value in 0..3 {
        let body =
            format!("a {value}\nx{{text=\"{long}\"}} {value}\ny{{text=\"{long}\"}} 10{value}\n").repeat(2);
        zip(&mut compressor, body.as_bytes());
    }
    assert!(compressor.plan.is_some());
}

quickcheck! {
    /// Bodies of a few lines over and over, cut, spliced and changed: each has to come back, whatever came before.
    fn whatever_the_bodies_are_they_come_back(edits: Vec<(u16, u8, u16)>) -> bool {
        let mut compressor = Compressor::new();
        let mut body = page(0..200, |i| noise(i.into())).into_bytes();
        zip(&mut compressor, &body);
        for (at, kind, other) in edits.into_iter().take(4) {
            let (at, other) = (usize::from(at) % body.len(), usize::from(other) % body.len());
            match kind % 4 {
                0 => body[at] = b" {}\"\\\n#x5"[other % 9],
                1 => drop(body.drain(at.min(other)..at.max(other).min(at.min(other) + 900))),
                2 => {
                    let copy = body[at.min(other)..at.max(other).min(at.min(other) + 900)].to_vec();
                    body.splice(at..at, copy);
                }
                _ => body.truncate(body.len().max(16_500) - 1),
            }
            zip(&mut compressor, &body);
        }
        true
    }
}
