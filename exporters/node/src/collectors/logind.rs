//! Sessions of people, counted by logind, asked over D-Bus.

use std::collections::HashMap;

use openmetrics::model::Descriptor;

use super::Spec;
use crate::dbus::{Bus, Call, Property};
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};

pub(super) static SPEC: Spec = Spec {
    name: "logind",
    enabled: false,
    about: "sessions by seat, type and class, from logind",
    flags: &[],
    build: |_| {
        let mut bus = Bus::system();
        Ok(Reader::boxed(move |host, out| read(&mut bus, host, out)))
    },
};

static SESSIONS: Descriptor = gauge("node_logind_sessions", "Sessions that logind knows.");

const LOGIND: &str = "org.freedesktop.login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const REMOTE: [&str; 2] = ["true", "false"];
/// What logind does not know yet is told as the first of each.
const TYPES: [&str; 7] = ["other", "unspecified", "tty", "x11", "wayland", "mir", "web"];
const CLASSES: [&str; 5] = ["other", "user", "greeter", "lock-screen", "background"];

/// What is asked of each session.
const PROPERTIES: [[&str; 2]; 3] = [[SESSION, "Remote"], [SESSION, "Type"], [SESSION, "Class"]];

#[derive(Debug, Clone, Copy, Default)]
struct Session {
    remote: Option<&'static str>,
    kind: Option<&'static str>,
    class: Option<&'static str>,
}

fn read(bus: &mut Bus, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let mut talk = bus.talk()?;
    let list = |member| Call {
        destination: LOGIND,
        path: "/org/freedesktop/login1",
        interface: MANAGER,
        member,
        arguments: &[],
    };
    let refused = |what: &str, why: String| Error::other(format!("logind has no list of {what}: {why}"));
    let reply = talk.call(list("ListSeats"))?.map_err(|why| refused("seats", why.0))?;
    let mut body = reply.read("a(so)").map_err(|why| refused("seats", why.0))?;
    let seats = body.structures(|item| {
        let seat = item.string()?.to_owned();
        item.string()?;
        Some(seat)
    });
    let mut seats = seats.ok_or_else(|| refused("seats", "it ends too early".into()))?;
    seats.push(String::new()); // of sessions over the network
    let reply = talk.call(list("ListSessions"))?.map_err(|why| refused("sessions", why.0))?;
    let mut body = reply.read("a(susso)").map_err(|why| refused("sessions", why.0))?;
    let sessions = body.structures(|item| {
        item.string()?;
        item.u32()?;
        item.string()?;
        Some((item.string()?.to_owned(), item.string()?.to_owned()))
    });
    let sessions = sessions.ok_or_else(|| refused("sessions", "it ends too early".into()))?;
    let calls: Vec<Call<'_>> = sessions
        .iter()
        .flat_map(|(_, path)| PROPERTIES.iter().map(|what| Call::property(LOGIND, path, what)))
        .collect();
    let mut found = vec![Session::default(); sessions.len()];
    talk.calls(&calls, |place, reply| {
        let reply = match reply {
            Ok(reply) => reply,
            Err(why) => return host.aside(Error::other(format!("a session has gone: {why}"))),
        };
        let Some(session) = found.get_mut(place / PROPERTIES.len()) else { return };
        match (place % PROPERTIES.len(), reply.property()) {
            (0, Ok(Property::Switch(remote))) => session.remote = REMOTE.get(usize::from(!remote)).copied(),
            (1, Ok(Property::Text(kind))) => session.kind = Some(known(kind, &TYPES)),
            (2, Ok(Property::Text(class))) => session.class = Some(known(class, &CLASSES)),
            _ => {}
        }
    })?;
    let mut counts: HashMap<(&str, &str, &str, &str), u64> = HashMap::new();
    for ((seat, _), session) in sessions.iter().zip(found) {
        if let Session { remote: Some(remote), kind: Some(kind), class: Some(class) } = session {
            *counts.entry((seat, remote, kind, class)).or_default() += 1;
        }
    }
    for remote in REMOTE {
        for kind in TYPES {
            for class in CLASSES {
                for seat in &seats {
                    let count = counts.get(&(seat.as_str(), remote, kind, class)).copied().unwrap_or_default();
                    let labels =
                        [("seat", seat.as_str()), ("remote", remote), ("type", kind), ("class", class)];
                    out.point(&SESSIONS, &labels, count);
                }
            }
        }
    }
    Ok(())
}

fn known(word: &str, words: &[&'static str]) -> &'static str {
    words.iter().find(|known| **known == word).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dbus::for_tests::{Value, play};
    use crate::host::for_tests::Tree;

    #[test]
    fn sessions_are_counted() {
        let address = play("logind", |path, member, arguments| {
            let text = |text| Some(Value::Variant(Box::new(Value::Text(text))));
            match (member, path, arguments.get(1).map(String::as_str)) {
                ("ListSeats", ..) => Some(Value::Array("so", vec![vec![Value::Text("seat0"), Value::Text("/org/s0")]])),
                ("ListSessions", ..) => {
                    let session = |seat, path| {
                        vec![Value::Text("1"), Value::U32(1000), Value::Text("u"), Value::Text(seat), Value::Text(path)]
                    };
                    Some(Value::Array(
                        "susso",
                        vec![session("seat0", "/org/a"), session("", "/org/b"), session("", "/org/gone")],
                    ))
                }
                (_, "/org/gone", _) => None,
                (_, path, Some("Remote")) => Some(Value::Variant(Box::new(Value::Bool(path == "/org/b")))),
                (_, _, Some("Type")) => text("tty"),
                (_, path, Some("Class")) => text(if path == "/org/b" { "new-one" } else { "user" }),
                _ => None,
            }
        });
        let mut bus = Bus::at(&address);
        let tree = Tree::new("logind", &[]);
        let (told, problems) = tree.read(|host, out| read(&mut bus, host, out));
        assert_eq!(told.len(), 2 * 7 * 5 * 2);
        let counted: Vec<&String> = told.iter().filter(|line| !line.ends_with(" 0")).collect();
        assert_eq!(
            counted,
            [
                r#"node_logind_sessions{seat="",remote="true",type="tty",class="other"} 1"#,
                r#"node_logind_sessions{seat="seat0",remote="false",type="tty",class="user"} 1"#,
            ]
        );
        assert_eq!(problems, [""; 0], "who has gone meanwhile is no fault");
    }
}
