//! Query parameters.

use openmetrics::http::Parameters;

/// Decodes `collect%5B%5D=cpu&collect[]=stat`; what is no UTF-8 after decoding gets replacement characters.
pub(crate) fn parse(query: &str) -> Parameters {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut rest = bytes.clone();
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                match (digit(rest.next()), digit(rest.next())) {
                    (Some(high), Some(low)) => {
                        bytes = rest;
                        (high * 16 + low) as u8 // below 256
                    }
                    // The head's reader refuses these; they stay as they are.
                    _ => b'%',
                }
            }
            other => other,
        });
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_in_order() {
        let pairs = |query| {
            parse(query)
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join("|")
        };
        assert_eq!(pairs("collect%5B%5D=cpu&collect[]=a+b%2Bc"), "collect[]=cpu|collect[]=a b+c");
        assert_eq!(pairs("a&=b&&c="), "a=|=b|c=");
        assert_eq!(pairs("a=%f&b=%zz&c=%"), "a=%f|b=%zz|c=%");
        assert_eq!(pairs("a=%ff"), "a=\u{fffd}");
        assert_eq!(pairs(""), "");
    }
}
