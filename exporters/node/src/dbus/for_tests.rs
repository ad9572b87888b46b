//! A peer that answers as a test says.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::message::{ERROR, METHOD_RETURN, Reader, field};

/// A value as `(signature, how it is written)`; enough to play a peer.
pub(crate) enum Value<'a> {
    U32(u32),
    U64(u64),
    Bool(bool),
    Text(&'a str),
    /// An array of structures.
    Array(&'a str, Vec<Vec<Value<'a>>>),
    Variant(Box<Value<'a>>),
}

impl Value<'_> {
    fn signature(&self) -> String {
        match self {
            Value::U32(_) => "u".into(),
            Value::U64(_) => "t".into(),
            Value::Bool(_) => "b".into(),
            Value::Text(text) if text.starts_with("/org/") => "o".into(),
            Value::Text(_) => "s".into(),
            Value::Array(of, _) => format!("a({of})"),
            Value::Variant(_) => "v".into(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        fn pad(out: &mut Vec<u8>, to: usize) {
            out.resize(out.len().next_multiple_of(to), 0);
        }
        match self {
            Value::U32(value) => {
                pad(out, 4);
                out.extend(value.to_le_bytes());
            }
            Value::Bool(value) => Value::U32(u32::from(*value)).write(out),
            Value::U64(value) => {
                pad(out, 8);
                out.extend(value.to_le_bytes());
            }
            Value::Text(text) => {
                Value::U32(text.len() as u32).write(out);
                out.extend(text.as_bytes());
                out.push(0);
            }
            Value::Array(_, items) => {
                pad(out, 4);
                let at = out.len();
                out.extend([0; 4]);
                pad(out, 8);
                let begin = out.len();
                for item in items {
                    pad(out, 8);
                    for value in item {
                        value.write(out);
                    }
                }
                let length = ((out.len() - begin) as u32).to_le_bytes();
                out[at..at + 4].copy_from_slice(&length);
            }
            Value::Variant(value) => {
                let signature = value.signature();
                out.push(signature.len() as u8);
                out.extend(signature.as_bytes());
                out.push(0);
                value.write(out);
            }
        }
    }
}

/// The address of a bus that answers by `answer`, which has path, member and arguments; `None` is an error to the
/// caller. It plays one connection after the other until the test ends.
pub(crate) fn play(
    name: &str,
    answer: impl Fn(&str, &str, &[String]) -> Option<Value<'static>> + Send + 'static,
) -> String {
    let path = format!("node-exporter-{name}-{}", std::process::id());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&path).unwrap()).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = serve(&mut stream, &answer); // it ends when the client has gone
        }
    });
    format!("unix:abstract={path}")
}

fn serve(
    stream: &mut UnixStream,
    answer: &impl Fn(&str, &str, &[String]) -> Option<Value<'static>>,
) -> io::Result<()> {
    let far = Instant::now() + Duration::from_secs(600);
    let mut peer = Connection { stream: stream.try_clone()?, serial: 0, deadline: far, received: Vec::new() };
    assert!(peer.line()?.starts_with("\0AUTH EXTERNAL "));
    peer.send(b"OK 0123456789abcdef\r\n")?;
    assert_eq!(peer.line()?, "BEGIN");
    loop {
        let message = peer.message()?;
        let bytes = &message.reply.bytes;
        let serial = Reader::new(bytes, true).at(8).u32().unwrap();
        let fields_end = 16 + Reader::new(bytes, true).at(12).u32().unwrap() as usize;
        let mut fields = Reader::new(&bytes[..fields_end], true).at(16);
        let (mut path, mut member) = (String::new(), String::new());
        while !fields.is_empty() {
            fields.align(8).unwrap();
            let code = fields.u8().unwrap();
            let kind = fields.signature().unwrap().to_owned();
            let text = if kind == "g" { fields.signature() } else { fields.string() }.unwrap();
            match code {
                field::PATH => path = text.to_owned(),
                field::MEMBER => member = text.to_owned(),
                _ => {}
            }
        }
        let mut body = Reader::new(&bytes[message.reply.begin..], true);
        let mut arguments = Vec::new();
        while !body.is_empty() {
            arguments.push(body.string().unwrap().to_owned());
        }
        let found =
            if member == "Hello" { Some(Value::Text(":1.1")) } else { answer(&path, &member, &arguments) };
        peer.serial += 1;
        let (kind, mut fields, value) = match found {
            Some(value) => (METHOD_RETURN, vec![], value),
            None => (ERROR, vec![field::ERROR_NAME, 1, b's', 0], Value::Text("none")),
        };
        if kind == ERROR {
            Value::Text("org.example.NotThere").write(&mut fields);
            fields.resize(fields.len().next_multiple_of(8), 0);
        }
        fields.extend([field::REPLY_SERIAL, 1, b'u', 0]);
        Value::U32(serial).write(&mut fields);
        let signature = value.signature();
        fields.resize(fields.len().next_multiple_of(8), 0);
        fields.extend([field::SIGNATURE, 1, b'g', 0, signature.len() as u8]);
        fields.extend(signature.as_bytes());
        fields.push(0);
        let mut body = Vec::new();
        value.write(&mut body);
        let mut answer = vec![b'l', kind, 1, 1];
        for word in [body.len() as u32, peer.serial, fields.len() as u32] {
            answer.extend(word.to_le_bytes());
        }
        answer.extend(fields);
        answer.resize(answer.len().next_multiple_of(8), 0);
        answer.extend(body);
        // A signal before each answer, as a busy bus has them.
        let mut signal = vec![b'l', 4, 1, 1];
        for word in [0_u32, 1000, 0] {
            signal.extend(word.to_le_bytes());
        }
        peer.send(&signal)?;
        peer.send(&answer)?;
    }
}
