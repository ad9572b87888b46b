//! The fast path against the reference grammar: on whatever input, both give the same lines, faults and places, and so
//! the same findings and families.
#![cfg(feature = "parse")]

use std::fmt::Write;

use openmetrics::format::assemble::Checker;
use openmetrics::format::entries::{Dialect, Entries, Entry, Sample, Written};

/// All that a reader tells of a text.
fn told(mut entries: Entries<'_>) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(entry) = entries.next_entry() {
        let mut line = match entry {
            Ok(Entry::Sample(sample)) => of_sample(sample),
            other => format!("{other:?}"),
        };
        write!(line, " {:?}", entries.line()).unwrap();
        told.push(line);
    }
    told
}

fn of(written: Written<'_>) -> String {
    format!("{written:?}={:?}", written.unescape())
}

fn of_sample(sample: &Sample<'_>) -> String {
    let mut line = format!("{} {} {:?}", sample.series(), of(sample.name()), sample.series_span());
    for label in sample.labels() {
        write!(line, " {}:{}", of(label.name), of(label.value)).unwrap();
    }
    write!(line, " {:?} {:?} {:?}", sample.number(), sample.composite(), sample.value_span()).unwrap();
    write!(line, " {:?} {:?} {:?}", sample.timestamp(), sample.start(), sample.exemplar_fault()).unwrap();
    for exemplar in sample.exemplars() {
        write!(line, " # {:?} {:?} {:?}", exemplar.span(), exemplar.value(), exemplar.timestamp()).unwrap();
        for label in exemplar.labels() {
            write!(line, " {}:{}", of(label.name), of(label.value)).unwrap();
        }
    }
    line
}

fn compare(text: &[u8]) {
    for dialect in [Dialect::Prometheus, Dialect::OpenMetrics1, Dialect::OpenMetrics2] {
        let reference = told(Entries::reference(text, dialect));
        // What this machine can do, and what every one can.
        for fast in [Entries::new(text, dialect), Entries::portable(text, dialect)] {
            assert_eq!(told(fast), reference, "{dialect:?} {:?}", String::from_utf8_lossy(text));
        }
        let fast = Checker::new(text, dialect).finish();
        let reference = Checker::reference(text, dialect).finish();
        assert!(fast.iter().eq(&reference), "{dialect:?} {:?}", String::from_utf8_lossy(text));
        let fast = Checker::new(text, dialect).read().0;
        let reference = Checker::reference(text, dialect).read().0;
        assert_eq!(
            format!("{fast:?}"),
            format!("{reference:?}"),
            "{dialect:?} {:?}",
            String::from_utf8_lossy(text)
        );
    }
}

/// Texts with a bit of everything, to mutate.
const SEEDS: [&str; 11] = [
    "# TYPE a counter\n# HELP a some \\n \\\\ \\\" help\na_total{b=\"c\",d=\"e\\\"f\"} 17 # {trace=\"x y\"} 0.67 1520879606.1\n# EOF\n",
    "a{b=\"c\"} 1.5 1520879607.789\na{b=\"d\"} -0 000\na{} 1e5\na -1.25e-3 -5\na NaN\nb +Inf\n# EOF\n",
    "h_bucket{path=\"/api/v1\",method=\"GET\",le=\"0.005\"} 24054 # {} 0.001\nh_bucket{le=\"+Inf\"} 144320\nh_sum 53423.5\n# EOF\n",
    "# comment\n\na { b = \"c\" , } 5 -7\n{\"u.t.f\",\"é.x\"=\"\\\\n\"} 1\n# UNIT x_y y\nm{x=\"é漢字\"} 123456789012345678901234567890\n",
    "h {count:2,sum:1.2e2,schema:0,zero_threshold:1e-4,zero_count:0,positive_spans:[1:2],positive_buckets:[1,1],bucket:[0.5:1,1:2,+Inf:2]} st@1605301325.0\n# EOF\n",
    "s{q=\"r\"} {count:3,sum:2,quantile:[0.5:1,0.99:NaN]} 12 st@3 # {t=\"u\"} 1 2 # {} 3 4\n# EOF",
    "g {gcount:-1,gsum:1,schema:-4,zero_threshold:0,zero_count:1.5,negative_spans:[-3:1,2:0],negative_buckets:[7]}\nx 18446744073709551615\n# EOF\n",
    "r{ab=\"1\",cd=\"2\"} 1\nr{ab=\"1\",cd=\"22\"} 1\nr{ab=\"1\\n\",cd=\"2\"} 1\nr{ab=\"1\\n\",cd=\"3\"} 1\nr 1\nr{} 1\nr{ab=\"1\"} 1\nr_x{ab=\"1\"} 2\nr{ab=\"1\",ab=\"1\"} 3\n# EOF\n",
    "# TYPE h histogram\nh_bucket{a=\"1\",le=\"1\"} 1\nh_bucket{a=\"1\",le=\"2\"} 2\nh_bucket{a=\"1\",le=\"+Inf\"} 3\nh_count{a=\"1\"} 3\nh_sum{a=\"1\"} 4\nh_bucket{a=\"2\",le=\"1\"} 1\nh_bucket{a=\"2\",le=\"2\"} 2\nh_bucket{a=\"2\",le=\"+Inf\"} 3\nh_count{a=\"2\"} 3\nh_sum{a=\"2\"} 4\n# EOF\n",
    "# TYPE g gauge\ng{a=\"3\",b=\"1\"} 1\ng{a=\"2\",b=\"1\"} 2\ng{a=\"4\",b=\"1\"} 3\ng{a=\"4\",b=\"2\"} 3\n# TYPE c counter\nc_total{a=\"1\"} 1\nc_total{a=\"2\"} 1\nc_created{a=\"2\"} 1\n# TYPE s stateset\ns{s=\"x\"} 1\ns{s=\"y\"} 0\n# TYPE q summary\nq{quantile=\"0.5\"} 1\nq_sum 1\nq_count 1\n# EOF\n",
    "up 1\nup{job=\"node\",instance=\"localhost:9100\"} 1\nprocess_cpu_seconds_total 12.470000000000001\nx 9007199254740993.5\ny 0.1 9.1234567891\n",
];

/// A generator of numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn mutate(random: &mut Random, text: &mut Vec<u8>) {
    const INTERESTING: &[u8] = b"\"\\\n{}=,# \t:._-+eE019naINFst@\r\xff\xc3\xa9[]x";
    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        let byte = INTERESTING[random.below(INTERESTING.len())];
        match random.below(6) {
            5 => {
                // A line twice: the second is read beside the first.
                let start =
                    text.get(..at).and_then(|t| t.iter().rposition(|b| *b == b'\n')).map_or(0, |n| n + 1);
                let end = text.iter().skip(at).position(|b| *b == b'\n').map_or(text.len(), |n| at + n + 1);
                let line = text[start..end].to_vec();
                text.splice(start..start, line);
            }
            0 => text.insert(at, byte),
            1 if at < text.len() => text[at] = byte,
            2 if at < text.len() => {
                text.remove(at);
            }
            3 => {
                let end = (at + random.below(20)).min(text.len());
                let piece = text[at..end].to_vec();
                let to = random.below(text.len() + 1);
                text.splice(to..to, piece);
            }
            _ if at < text.len() => text.truncate(at),
            _ => {}
        }
    }
}

#[test]
fn fast_path_and_grammar_agree() {
    let rounds = std::env::var("DIFFERENTIAL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(8_000);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for seed in SEEDS {
        compare(seed.as_bytes());
    }
    for _ in 0..rounds {
        let mut text = SEEDS[random.below(SEEDS.len())].as_bytes().to_vec();
        mutate(&mut random, &mut text);
        // What goes on is read by the fast path to the end; after a line that is no text it begins anew.
        match random.below(4) {
            0 => {}
            1 => text.extend_from_slice(b"\xff\n"),
            _ => text.extend_from_slice(b"\n"),
        }
        if random.below(4) > 0 {
            let other = SEEDS[random.below(SEEDS.len())];
            let next = if random.below(2) > 0 { other.as_bytes().to_vec() } else { text.clone() };
            text.extend_from_slice(&next);
        }
        compare(&text);
    }
}
