//! What every fuzz target of a text format does with its input.

use openmetrics::format::entries::{Dialect, Entries, Entry};
use openmetrics::format::{Format, assemble, decode, encode};

/// The fast path and the reference grammar say the same; checking and reading find the same; what is read strictly is
/// written and read again without loss.
pub fn all(text: &[u8], dialect: Dialect, format: Format) {
    let mut fast = Entries::new(text, dialect);
    let mut reference = Entries::reference(text, dialect);
    loop {
        let (one, other) = (fast.next_entry(), reference.next_entry());
        match (&one, &other) {
            (Some(Ok(Entry::Sample(a))), Some(Ok(Entry::Sample(b)))) => {
                assert_eq!(a.series(), b.series());
                assert_eq!(a.series_span(), b.series_span());
                assert_eq!(a.name(), b.name());
                assert!(a.labels().eq(b.labels()));
                assert_eq!((a.number(), a.composite()), (b.number(), b.composite()));
                assert_eq!(a.value_span(), b.value_span());
                assert_eq!((a.timestamp(), a.start()), (b.timestamp(), b.start()));
                assert_eq!(a.exemplar_fault(), b.exemplar_fault());
                assert_eq!(a.exemplars().len(), b.exemplars().len());
                for (a, b) in a.exemplars().zip(b.exemplars()) {
                    assert!(a.labels().eq(b.labels()));
                    assert_eq!((a.value(), a.timestamp(), a.span()), (b.value(), b.timestamp(), b.span()));
                }
            }
            _ => assert_eq!(format!("{one:?}"), format!("{other:?}")),
        }
        if one.is_none() {
            break;
        }
    }
    let checked = assemble::check(text, dialect);
    let (_, read) = assemble::read(text, dialect);
    assert!(checked.iter().eq(read.iter()));
    let strict = decode(text, format);
    assert_eq!(strict.is_err(), checked.is_fatal());
    if let Ok(set) = strict {
        let mut written = Vec::new();
        encode(&set, format, &mut written);
    }
}
