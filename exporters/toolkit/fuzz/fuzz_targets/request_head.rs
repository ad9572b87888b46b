//! Any bytes as heads of requests: no panic, the same heads and refusals however the bytes arrive, and no head that two
//! readers could understand differently.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openmetrics::http::Limits;
use openmetrics::http::head::Reader;

/// All heads in `bytes`, which arrive in pieces of `piece`; the refusal that ended them, if one did.
fn read(bytes: &[u8], piece: usize) -> (Vec<String>, Option<u16>) {
    let limits = Limits::default();
    let mut reader = Reader::default();
    let mut heads = Vec::new();
    for bytes in bytes.chunks(piece) {
        reader.buffer().extend_from_slice(bytes);
        loop {
            match reader.advance(&limits) {
                Ok(None) => break,
                Err(refused) => return (heads, Some(refused.status.as_u16())),
                Ok(Some(head)) => {
                    let headers = &head.request.headers;
                    assert!(headers.get_all("host").iter().count() <= 1);
                    assert!(headers.get_all("content-length").iter().count() <= 1);
                    assert!(!(headers.contains_key("content-length") && headers.contains_key("transfer-encoding")));
                    assert!(headers.len() <= limits.headers);
                    assert!(!(head.body && head.keep_alive));
                    heads.push(format!("{:?}", head.request));
                }
            }
        }
    }
    (heads, None)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, 1), whole);
    assert_eq!(read(bytes, 7), whole);
});
