//! Logs: one event a line, in logfmt or JSON, whatever is in the values.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use openmetrics::model::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::args::{Level, Log, LogFormat};

impl Log {
    /// Sends events to standard error from here on. A second call changes nothing.
    pub fn init(&self) {
        let level = match self.level {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        };
        let lines = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(std::io::stderr)
            .event_format(Lines(self.format));
        let _ = lines.try_init();
    }
}

/// Writes events. Strings from outside end up in values, so every value is escaped here: no line breaks, no control
/// characters, no escape sequences for terminals.
struct Lines(LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = line(self.0, SystemTime::now(), event.metadata().level().as_str(), &fields);
        out.write_str(&line)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.others.push((field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.record_str(field, &text);
    }
}

fn line(format: LogFormat, now: SystemTime, level: &str, fields: &Fields) -> String {
    let time = rfc3339(now);
    let mut line = match format {
        LogFormat::Logfmt => format!("time={time} level={level} msg="),
        LogFormat::Json => format!("{{\"time\":\"{time}\",\"level\":\"{level}\",\"msg\":"),
    };
    match format {
        LogFormat::Logfmt => {
            quote(&fields.message, &mut line);
            for (name, value) in &fields.others {
                let _ = write!(line, " {name}=");
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/:+@%".contains(&b);
                if !value.is_empty() && value.bytes().all(plain) {
                    line.push_str(value);
                } else {
                    quote(value, &mut line);
                }
            }
        }
        LogFormat::Json => {
            quote(&fields.message, &mut line);
            for (name, value) in &fields.others {
                let _ = write!(line, ",\"{name}\":");
                quote(value, &mut line);
            }
            line.push('}');
        }
    }
    line.push('\n');
    line
}

/// A JSON string, which logfmt takes as well; also the C1 controls and what turns the direction of text are escaped.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                let _ = write!(out, "\\u{:04x}", c as u32); // all of these are below 65536
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `2023-11-14T22:13:20.123Z`
fn rfc3339(time: SystemTime) -> String {
    let since = Timestamp::from(time.max(UNIX_EPOCH));
    let date = openmetrics::http::CivilTime::from_seconds(since.seconds().unsigned_abs());
    format!("{date}.{:03}Z", since.subsec_nanos() / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn lines_stay_lines_whatever_is_in_the_values() {
        let fields = Fields {
            message: "no such \"target\"".into(),
            others: vec![
                ("target", "a\n\u{1b}[31mred\u{9b}\u{202e}".into()),
                ("path", "/proc/stat".into()),
                ("empty", String::new()),
            ],
        };
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        assert_eq!(
            line(LogFormat::Logfmt, time, "WARN", &fields),
            "time=2023-11-14T22:13:20.123Z level=WARN msg=\"no such \\\"target\\\"\" \
             target=\"a\\n\\u001b[31mred\\u009b\\u202e\" path=/proc/stat empty=\"\"\n"
        );
        assert_eq!(
            line(LogFormat::Json, time, "WARN", &fields),
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"WARN\",\"msg\":\"no such \\\"target\\\"\",\
             \"target\":\"a\\n\\u001b[31mred\\u009b\\u202e\",\"path\":\"/proc/stat\",\"empty\":\"\"}\n"
        );
    }
}
