//! Units of systemd, asked over D-Bus: one list of all, and properties of some, many questions at once.

use std::collections::BTreeMap;

use openmetrics::model::Descriptor;
use regex_lite::Regex;

use super::{Setup, Spec};
use crate::dbus::{Bus, Call, Reply, Talk};
use crate::families::{counter, gauge, info};
use crate::flags::{Filter, Flag};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

const INCLUDE: Flag = Flag::text(
    "collector.systemd.unit-include",
    ".+",
    "Regular expression of units to tell; the whole name has to match",
)
.formerly(&["collector.systemd.unit-whitelist"]);
const EXCLUDE: Flag = Flag::text(
    "collector.systemd.unit-exclude",
    r".+\.(automount|device|mount|scope|slice)",
    "Regular expression of units to leave out; the whole name has to match",
)
.formerly(&["collector.systemd.unit-blacklist"]);
const PRIVATE: Flag = Flag::switch(
    "collector.systemd.private",
    false,
    "Ask systemd itself instead of over the bus, which is for root alone",
)
.hidden();
const TASKS: Flag = Flag::switch(
    "collector.systemd.enable-task-metrics",
    false,
    "Tell how many tasks services have and may have",
);
const RESTARTS: Flag = Flag::switch(
    "collector.systemd.enable-restarts-metrics",
    false,
    "Tell how often services were restarted",
);
const START_TIME: Flag =
    Flag::switch("collector.systemd.enable-start-time-metrics", false, "Tell when units were started");

pub(super) static SPEC: Spec = Spec {
    name: "systemd",
    enabled: false,
    about: "units of systemd: states, sockets, timers, restarts",
    flags: &[INCLUDE, EXCLUDE, PRIVATE, TASKS, RESTARTS, START_TIME],
    build: |setup| {
        let mut systemd = Systemd::new(setup)?;
        Ok(Reader::boxed(move |host, out| systemd.read(host, out)))
    },
};

static VERSION: Descriptor = gauge("node_systemd_version", "Version of systemd.");
static VIRTUALIZATION: Descriptor =
    info("node_systemd_virtualization_info", "The virtual machine or container that systemd is in.");
static UNITS: Descriptor = gauge("node_systemd_units", "Units by state.");
static STATE: Descriptor = gauge("node_systemd_unit_state", "Whether a unit is in this state; one of them is 1.");
static RUNNING: Descriptor =
    gauge("node_systemd_system_running", "Whether all is started and nothing has failed.");
static RESTARTED: Descriptor =
    counter("node_systemd_service_restart_total", "How often a service was restarted on its own.");
static TASKS_NOW: Descriptor = gauge("node_systemd_unit_tasks_current", "Tasks that a service has.");
static TASKS_MOST: Descriptor = gauge("node_systemd_unit_tasks_max", "Tasks that a service may have.");
static STARTED: Descriptor = gauge("node_systemd_unit_start_time_seconds", "When a unit was started; 0 if it is not.");
static TRIGGERED: Descriptor =
    gauge("node_systemd_timer_last_trigger_seconds", "When a timer last started something.");
static ACCEPTED: Descriptor =
    counter("node_systemd_socket_accepted_connections_total", "Connections that a socket accepted.");
static CONNECTIONS: Descriptor =
    gauge("node_systemd_socket_current_connections", "Connections that a socket has.");
static REFUSED: Descriptor =
    counter("node_systemd_socket_refused_connections_total", "Connections that a socket refused.");

const STATES: [&str; 5] = ["active", "activating", "deactivating", "inactive", "failed"];
const DESTINATION: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
/// Older ones tell neither the state of the system nor when timers were triggered.
const STATE_SINCE: f64 = 212.0;

const TYPE_OF_SERVICE: [&str; 2] = ["org.freedesktop.systemd1.Service", "Type"];
const TYPE_OF_MOUNT: [&str; 2] = ["org.freedesktop.systemd1.Mount", "Type"];

/// What can be asked of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Type,
    Restarts,
    TasksNow,
    TasksMost,
    Started,
    Triggered,
    Accepted,
    Connections,
    Refused,
}

impl Question {
    /// Interface and property.
    fn property(self, unit: &Unit) -> &'static [&'static str; 2] {
        match self {
            Self::Type if unit.is("mount") => &TYPE_OF_MOUNT,
            Self::Type => &TYPE_OF_SERVICE,
            Self::Restarts => &["org.freedesktop.systemd1.Service", "NRestarts"],
            Self::TasksNow => &["org.freedesktop.systemd1.Service", "TasksCurrent"],
            Self::TasksMost => &["org.freedesktop.systemd1.Service", "TasksMax"],
            Self::Started => &["org.freedesktop.systemd1.Unit", "ActiveEnterTimestamp"],
            Self::Triggered => &["org.freedesktop.systemd1.Timer", "LastTriggerUSec"],
            Self::Accepted => &["org.freedesktop.systemd1.Socket", "NAccepted"],
            Self::Connections => &["org.freedesktop.systemd1.Socket", "NConnections"],
            Self::Refused => &["org.freedesktop.systemd1.Socket", "NRefused"],
        }
    }
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Unit {
    name: String,
    state: String,
    path: String,
    /// Of services and mounts.
    kind: String,
    /// Answers that are numbers.
    numbers: Vec<(&'static str, u64)>,
}

impl Unit {
    fn is(&self, kind: &str) -> bool {
        self.name.rsplit_once('.').is_some_and(|(_, suffix)| suffix == kind)
    }
}

struct Systemd {
    bus: Bus,
    filter: Filter,
    with_tasks: bool,
    with_restarts: bool,
    with_start_time: bool,
}

impl Systemd {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let options = setup.options;
        let whole = |flag: &Flag| {
            let pattern = options.text(flag);
            Regex::new(&format!("^(?:{pattern})$"))
                .map_err(|error| format!("--{}={pattern}: not a regular expression: {error}", flag.name))
        };
        Ok(Self {
            bus: if options.switch(&PRIVATE) { Bus::of_systemd() } else { Bus::system() },
            filter: Filter::from_patterns(Some(whole(&EXCLUDE)?), Some(whole(&INCLUDE)?)),
            with_tasks: options.switch(&TASKS),
            with_restarts: options.switch(&RESTARTS),
            with_start_time: options.switch(&START_TIME),
        })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        let mut talk = self.bus.talk()?;
        let (version, words) = manager(&mut talk, "Version")?
            .and_then(|text| Some((version(&text)?, text)))
            .unwrap_or_default();
        out.point(&VERSION, &[("version", &words)], version);
        let virtualization = manager(&mut talk, "Virtualization")?;
        let virtualization = match virtualization.as_deref() {
            None => "unknown",
            Some("") => "none",
            Some(kind) => kind,
        };
        out.point(&VIRTUALIZATION, &[("virtualization_type", virtualization)], 1_u64);
        let mut by_state: BTreeMap<String, u64> = STATES.iter().map(|state| ((*state).to_owned(), 0)).collect();
        let mut units = Vec::new();
        for (unit, loaded) in list(&mut talk)? {
            *by_state.entry(unit.state.clone()).or_default() += 1;
            if loaded && self.filter.keeps(&unit.name) {
                units.push(unit);
            }
        }
        for (state, count) in by_state {
            out.point(&UNITS, &[("state", &state)], count);
        }
        let asked: Vec<(usize, Question)> = units
            .iter()
            .enumerate()
            .flat_map(|(at, unit)| {
                let service = unit.is("service");
                let socket = unit.is("socket");
                let questions = [
                    (Question::Type, service || unit.is("mount")),
                    (Question::Restarts, service && self.with_restarts),
                    (Question::TasksNow, service && self.with_tasks),
                    (Question::TasksMost, service && self.with_tasks),
                    (Question::Started, self.with_start_time && unit.state == "active"),
                    (Question::Triggered, unit.is("timer") && version >= STATE_SINCE),
                    (Question::Accepted, socket),
                    (Question::Connections, socket),
                    (Question::Refused, socket),
                ];
                questions.into_iter().filter(|(_, wanted)| *wanted).map(move |(question, _)| (at, question))
            })
            .collect();
        let answers = ask(&mut talk, &units, &asked)?;
        let state = if version >= STATE_SINCE { manager(&mut talk, "SystemState")? } else { None };
        for ((at, question), answer) in asked.iter().zip(answers) {
            let Some(unit) = units.get_mut(*at) else { continue };
            match answer {
                Some(Answer::Word(word)) if *question == Question::Type => unit.kind = word,
                Some(Answer::Number(number)) => unit.numbers.push((question.property(unit)[1], number)),
                // A unit that has gone meanwhile, or a systemd that does not count this.
                _ => {}
            }
        }
        for unit in &units {
            self.tell(unit, out);
        }
        if version >= STATE_SINCE {
            match state {
                Some(state) => out.point(&RUNNING, &[], u64::from(state == "running")),
                None => host.note(Error::other("systemd does not tell the state of the system")),
            }
        }
        Ok(())
    }

    fn tell(&self, unit: &Unit, out: &mut Gathered) {
        let by_name = ("name", unit.name.as_str());
        for state in STATES {
            let labels = [by_name, ("state", state), ("type", unit.kind.as_str())];
            out.point(&STATE, &labels, u64::from(unit.state == state));
        }
        if self.with_start_time && unit.state != "active" {
            out.point(&STARTED, &[by_name], 0.0);
        }
        for (property, number) in &unit.numbers {
            match *property {
                "NRestarts" => out.point(&RESTARTED, &[by_name], *number),
                // The largest number says that nobody counts, or that there is no limit.
                "TasksCurrent" if *number != u64::MAX => out.point(&TASKS_NOW, &[by_name], *number),
                "TasksMax" if *number != u64::MAX => out.point(&TASKS_MOST, &[by_name], *number),
                "ActiveEnterTimestamp" => out.point(&STARTED, &[by_name], *number as f64 / 1e6),
                "LastTriggerUSec" => out.point(&TRIGGERED, &[by_name], *number as f64 / 1e6),
                "NAccepted" => out.point(&ACCEPTED, &[by_name], *number),
                "NConnections" => out.point(&CONNECTIONS, &[by_name], *number),
                "NRefused" => out.point(&REFUSED, &[by_name], *number),
                _ => {}
            }
        }
    }
}

/// A property of the manager that is a string; `None` if it does not have it.
fn manager(talk: &mut Talk<'_>, property: &str) -> Result<Option<String>, Error> {
    let what = [MANAGER, property];
    let answer = talk.call(Call::property(DESTINATION, MANAGER_PATH, &what))?;
    Ok(answer.ok().and_then(|reply| Some(reply.property().ok()?.text()?.to_owned())))
}

/// All units, and whether each one is loaded.
fn list(talk: &mut Talk<'_>) -> Result<Vec<(Unit, bool)>, Error> {
    let call = Call {
        destination: DESTINATION,
        path: MANAGER_PATH,
        interface: MANAGER,
        member: "ListUnits",
        arguments: &[],
    };
    let refused = |why: String| Error::other(format!("systemd has no list of units: {why}"));
    let reply = talk.call(call)?.map_err(|why| refused(why.0))?;
    parse(&reply).map_err(refused)
}

/// Name, description, load state, active state, sub state, followed unit, path, job, its type and path.
fn parse(reply: &Reply) -> Result<Vec<(Unit, bool)>, String> {
    let mut body = reply.read("a(ssssssouso)").map_err(|why| why.0)?;
    let units = body.structures(|item| {
        let name = item.string()?.to_owned();
        item.string()?;
        let loaded = item.string()? == "loaded";
        let state = item.string()?.to_owned();
        item.string()?;
        item.string()?;
        let path = item.string()?.to_owned();
        item.u32()?;
        item.string()?;
        item.string()?;
        Some((Unit { name, state, path, ..Unit::default() }, loaded))
    });
    units.ok_or_else(|| "it ends too early".into())
}

#[derive(Debug, Clone)]
enum Answer {
    Word(String),
    Number(u64),
}

/// Asks all questions; `None` where there was no answer of a kind that is of use.
fn ask(
    talk: &mut Talk<'_>,
    units: &[Unit],
    asked: &[(usize, Question)],
) -> Result<Vec<Option<Answer>>, Error> {
    let calls: Vec<Call<'_>> = asked
        .iter()
        .filter_map(|(at, question)| {
            let unit = units.get(*at)?;
            Some(Call::property(DESTINATION, &unit.path, question.property(unit)))
        })
        .collect();
    let mut answers = vec![None; asked.len()];
    talk.calls(&calls, |place, reply| {
        let Ok(reply) = reply else { return };
        let Ok(property) = reply.property() else { return };
        if let Some(slot) = answers.get_mut(place) {
            let word = property.text().map(|text| Answer::Word(text.to_owned()));
            *slot = word.or_else(|| property.number().map(Answer::Number));
        }
    })?;
    Ok(answers)
}

/// The first number of three digits or more, with what follows a point: `257.4` of `257.4-1ubuntu3`.
fn version(words: &str) -> Option<f64> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut rest = words;
    loop {
        rest = rest.get(rest.find(is_digit)?..)?;
        let end = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
        let (whole, tail) = rest.split_at(end);
        if whole.len() >= 3 {
            let part = tail.strip_prefix('.').unwrap_or_default();
            let part = part.get(..part.find(|c| !is_digit(c)).unwrap_or(part.len()))?;
            return text::float(&format!("{whole}.{part}0"));
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dbus::for_tests::{Value, play};
    use crate::flags::Options;
    use crate::host::for_tests::Tree;

    fn unit(name: &'static str, load: &'static str, state: &'static str, path: &'static str) -> Vec<Value<'static>> {
        let mut all: Vec<Value<'static>> =
            [name, "A description.", load, state, "running", "", path].map(Value::Text).into();
        all.extend([Value::U32(0), Value::Text(""), Value::Text("/org/job")]);
        all
    }

    fn answer(path: &str, member: &str, arguments: &[String]) -> Option<Value<'static>> {
        if member == "ListUnits" {
            return Some(Value::Array(
                "ssssssouso",
                vec![
                    unit("a.service", "loaded", "active", "/org/a"),
                    unit("b.socket", "loaded", "failed", "/org/b"),
                    unit("c.timer", "loaded", "reloading", "/org/c"),
                    unit("d.service", "not-found", "inactive", "/org/d"),
                    unit("e.mount", "loaded", "active", "/org/e"),
                ],
            ));
        }
        let value = match (path, arguments.get(1).map(String::as_str)?) {
            (_, "Version") => Value::Text("257.4-1ubuntu3"),
            (_, "Virtualization") => Value::Text(""),
            (_, "SystemState") => Value::Text("running"),
            ("/org/a", "Type") => Value::Text("notify"),
            ("/org/a", "NRestarts") => Value::U32(7),
            ("/org/a", "TasksCurrent") => Value::U64(5),
            ("/org/a", "TasksMax") => Value::U64(u64::MAX),
            ("/org/a" | "/org/e", "ActiveEnterTimestamp") => Value::U64(1_500_000),
            ("/org/b", "NAccepted") => Value::U32(3),
            ("/org/b", "NConnections") => Value::U32(1),
            ("/org/c", "LastTriggerUSec") => Value::U64(2_000_000),
            _ => return None, // NRefused came later
        };
        Some(Value::Variant(Box::new(value)))
    }

    #[test]
    fn units_and_what_they_are_asked() {
        let address = play("systemd", answer);
        let tree = Tree::new("systemd", &[]);
        let host = tree.host();
        let mut options = Options::default();
        for flag in [&TASKS, &RESTARTS, &START_TIME] {
            options.set(flag.name, vec!["true".into()]);
        }
        let mut systemd = Systemd::new(&Setup { options: &options, host: &host, enabled: &[] }).unwrap();
        systemd.bus = Bus::at(&address);
        let (told, problems) = tree.read(|host, out| systemd.read(host, out));
        assert_eq!(problems, [""; 0]);
        let told: Vec<&str> =
            told.iter().map(String::as_str).filter(|line| !line.contains("_unit_state") || line.ends_with('1')).collect();
        assert_eq!(
            told,
            [
                r#"node_systemd_version{version="257.4-1ubuntu3"} 257.4"#,
                r#"node_systemd_virtualization{virtualization_type="none"} 1"#,
                r#"node_systemd_units{state="activating"} 0"#,
                r#"node_systemd_units{state="active"} 2"#,
                r#"node_systemd_units{state="deactivating"} 0"#,
                r#"node_systemd_units{state="failed"} 1"#,
                r#"node_systemd_units{state="inactive"} 1"#,
                r#"node_systemd_units{state="reloading"} 1"#,
                r#"node_systemd_unit_state{name="a.service",state="active",type="notify"} 1"#,
                r#"node_systemd_unit_state{name="b.socket",state="failed",type=""} 1"#,
                r#"node_systemd_service_restart{name="a.service"} 7"#,
                r#"node_systemd_unit_tasks_current{name="a.service"} 5"#,
                r#"node_systemd_unit_start_time_seconds{name="a.service"} 1.5"#,
                r#"node_systemd_unit_start_time_seconds{name="b.socket"} 0"#,
                r#"node_systemd_unit_start_time_seconds{name="c.timer"} 0"#,
                r#"node_systemd_socket_accepted_connections{name="b.socket"} 3"#,
                r#"node_systemd_socket_current_connections{name="b.socket"} 1"#,
                r#"node_systemd_timer_last_trigger_seconds{name="c.timer"} 2"#,
                "node_systemd_system_running 1",
            ]
        );
    }

    #[test]
    fn without_a_bus_it_says_so() {
        let tree = Tree::new("systemd-none", &[]);
        let mut bus = Bus::at("unix:path=/nowhere/bus");
        let (told, problems) = tree.read(|_, _| bus.talk().map(|_| ()));
        assert_eq!(told, [""; 0]);
        assert_eq!(problems, ["unix:path=/nowhere/bus: No such file or directory (os error 2)"]);
    }

    #[test]
    fn versions() {
        assert_eq!(version("257.4-1ubuntu3"), Some(257.4));
        assert_eq!(version("v249-rc1 (24)"), Some(249.0));
        assert_eq!(version("252."), Some(252.0));
        assert_eq!(["", "12.34", "none"].map(version), [None; 3]);
    }
}
