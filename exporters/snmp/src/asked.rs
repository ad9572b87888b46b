//! What a request asks for, and why it gets nothing.

use crate::session::Transport;

/// What a scrape asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// `192.0.2.1`, `switch.example:161`, `tcp://[2001:db8::1]:1161`.
    pub target: String,
    /// The auth's name; empty for the one whose targets list this one.
    pub auth: String,
    /// The modules' names, each once.
    pub modules: Vec<String>,
    /// The context, in place of the auth's.
    pub context: Option<String>,
    /// The context's engine, in place of the device's own.
    pub engine: Option<Vec<u8>>,
}

/// Why a request was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request is at fault.
    Request(String),
    /// The device, or the way to it.
    Scrape(String),
}

impl Asked {
    /// Reads a request's parameters, as `snmp_exporter` does.
    pub fn new(parameters: &[(String, String)]) -> Result<Self, Failure> {
        let values = |name: &str| {
            parameters.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
        };
        let one = |name: &str| -> Result<Option<String>, Failure> {
            let values: Vec<&str> = values(name);
            match values[..] {
                [] => Ok(None),
                [value] => Ok(Some(value).filter(|value| !value.is_empty()).map(str::to_owned)),
                _ => Err(Failure::Request(format!("the parameter {name} is given more than once"))),
            }
        };
        let target = one("target")?.ok_or_else(|| {
            Failure::Request("the parameter target is missing: /snmp?target=192.0.2.1".into())
        })?;
        let mut names: Vec<&str> = values("module");
        if names.is_empty() {
            names.push("if_mib");
        }
        let mut modules: Vec<String> = Vec::new();
        for name in names.iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty()) {
            if !modules.iter().any(|known| known == name) {
                modules.push(name.to_owned());
            }
        }
        if modules.is_empty() {
            return Err(Failure::Request("the parameter module names no module".into()));
        }
        let engine = one("snmp_engineid")?.map(|text| {
            unhex(&text)
                .ok_or_else(|| Failure::Request("the parameter snmp_engineid is not hexadecimal".into()))
        });
        Ok(Self {
            target,
            auth: one("auth")?.unwrap_or_default(),
            modules,
            context: one("snmp_context")?,
            engine: engine.transpose()?,
        })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    text.chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// Host, port and transport of a target.
pub fn parse_target(target: &str) -> Result<(Transport, &str, u16), Failure> {
    let wrong = || {
        Failure::Request(format!(
            "{target:?} is no target; one looks like 192.0.2.1, switch:1161 or tcp://[::1]:161"
        ))
    };
    let (transport, rest) = match target.split_once("://") {
        None => (Transport::Udp, target),
        Some(("udp" | "udp4" | "udp6", rest)) => (Transport::Udp, rest),
        Some(("tcp" | "tcp4" | "tcp6", rest)) => (Transport::Tcp, rest),
        Some(_) => return Err(wrong()),
    };
    let (host, port) = if let Some(bracketed) = rest.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or_else(wrong)?;
        (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some("161")).ok_or_else(wrong)?)
    } else {
        match rest.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, port),
            _ => (rest, "161"), // a name, or an IPv6 address without brackets
        }
    };
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || host.len() > 255 { Err(wrong()) } else { Ok((transport, host, port)) }
}
