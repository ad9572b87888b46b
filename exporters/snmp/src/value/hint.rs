//! Display hints: how octets are written ([RFC 2579, section 3.1](https://www.rfc-editor.org/rfc/rfc2579#section-3.1)).

/// One specification of a hint: `*` for a count in the value, how many octets, how, and what follows.
struct Spec {
    counted: bool,
    octets: usize,
    format: u8,
    separator: Option<u8>,
    terminator: Option<u8>,
}

/// Octets as a hint writes them; `None` if it is no hint for octets, or says nothing of any.
///
/// The last specification is repeated as long as there are octets; after the last one no separator is written.
pub fn apply(hint: &str, octets: &[u8]) -> Option<Vec<u8>> {
    let specs = parse(hint.as_bytes())?;
    if octets.is_empty() {
        return None;
    }
    let mut out = Vec::with_capacity(octets.len() * 4);
    let mut rest = octets;
    let mut at = 0;
    while !rest.is_empty() {
        let spec = specs.get(at).or(specs.last())?;
        if at >= specs.len() && spec.octets == 0 && !spec.counted {
            return None; // it would never end
        }
        at += 1;
        let mut count = 1;
        if spec.counted {
            let (first, after) = rest.split_first()?;
            count = usize::from(*first);
            rest = after;
        }
        for turn in 0..count {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at(spec.octets.min(rest.len()));
            write(chunk, spec.format, &mut out)?;
            rest = after;
            let closes = spec.terminator.is_some() && turn + 1 == count;
            if let Some(separator) = spec.separator.filter(|_| !rest.is_empty() && !closes) {
                out.push(separator);
            }
            if spec.octets == 0 {
                break; // nothing would change any more
            }
        }
        if let Some(terminator) = spec.terminator.filter(|_| !rest.is_empty()) {
            out.push(terminator);
        }
    }
    Some(out)
}

fn write(chunk: &[u8], format: u8, out: &mut Vec<u8>) -> Option<()> {
    match format {
        b'd' | b'o' => {
            if chunk.len() > 8 {
                return None;
            }
            let number = chunk.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
            let text = if format == b'd' { number.to_string() } else { format!("{number:o}") };
            out.extend_from_slice(text.as_bytes());
        }
        b'x' => chunk.iter().for_each(|octet| out.extend_from_slice(format!("{octet:02X}").as_bytes())),
        _ => out.extend_from_slice(chunk),
    }
    Some(())
}

fn parse(hint: &[u8]) -> Option<Vec<Spec>> {
    let mut specs = Vec::new();
    let mut rest = hint;
    let mark = |rest: &mut &[u8]| match **rest {
        [c, ref after @ ..] if !c.is_ascii_digit() && c != b'*' => {
            *rest = after;
            Some(c)
        }
        _ => None,
    };
    while !rest.is_empty() {
        let counted = rest.first() == Some(&b'*');
        rest = rest.get(usize::from(counted)..)?;
        let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        let octets = std::str::from_utf8(rest.get(..digits)?).ok()?.parse::<u32>().ok()? as usize;
        let (&format, after) = rest.get(digits..)?.split_first()?;
        if !b"dxoat".contains(&format) {
            return None;
        }
        rest = after;
        let separator = mark(&mut rest);
        let terminator = if counted { mark(&mut rest) } else { None };
        specs.push(Spec { counted, octets, format, separator, terminator });
    }
    Some(specs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints() {
        for (hint, octets, expected) in [
            ("1d.1d.1d.1d", &[192, 168, 1, 1][..], Some("192.168.1.1")),
            ("1x:", &[0, 26, 43], Some("00:1A:2B")),
            ("255a", b"Hello", Some("Hello")),
            ("2d-1d-1d,1d:1d:1d.1d", &[7, 232, 2, 29, 13, 30, 15, 0], Some("2024-2-29,13:30:15.0")),
            ("*1x:/1x:", &[2, 1, 2, 3, 4], Some("01:02/03:04")),
            ("2o", &[1, 0], Some("400")),
            ("9d", &[0; 9], None),
            ("0d", &[1], None),
            ("x", &[1], None),
            ("1q", &[1], None),
            ("1", &[1], None),
            ("1x", &[], None),
            ("99999999999x", &[1], None),
        ] {
            let written = apply(hint, octets).map(|out| String::from_utf8(out).unwrap());
            assert_eq!(written.as_deref(), expected, "{hint} {octets:?}");
        }
    }

    quickcheck::quickcheck! {
        fn any_hint_ends(hint: String, octets: Vec<u8>) -> bool {
            apply(&hint, &octets).is_none_or(|out| out.len() <= (octets.len() + 1) * 300)
        }
    }
}
