//! `omtool fmt`: an exposition as our writer has it.

use std::fs;

use super::convert::write;
use super::input::{Reader, decode, format_of, print};
use crate::cli::{Failure, Outcome};
use crate::client::ConnectArguments;
use crate::subject::{Spec, Subject};

/// What to write anew.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files, or `-` for standard input.
    #[arg(required = true)]
    inputs: Vec<String>,
    /// The format; found out if not given.
    #[arg(long)]
    spec: Option<Spec>,
    /// Write the files instead of printing.
    #[arg(long, conflicts_with = "check")]
    write: bool,
    /// Only say which files would change, and end with status 1 if any would.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    connect: ConnectArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let reader = Reader::new(&arguments.connect)?;
    let mut outcome = Outcome::Clean;
    for input in &arguments.inputs {
        let subject = reader.subject(input, arguments.spec)?;
        let formatted = format(&subject).map_err(|why| Failure::unreadable(format!("{input}: {why}")))?;
        if arguments.check {
            if formatted != subject.bytes {
                println!("{input}");
                outcome = Outcome::Findings;
            }
        } else if arguments.write {
            if formatted != subject.bytes {
                replace(input, &formatted)?;
                eprintln!("omtool: {input}: written");
            }
        } else {
            print(&formatted)?;
        }
    }
    Ok(outcome)
}

/// The same families in the same format. An error where not all would be there again.
fn format(subject: &Subject) -> Result<Vec<u8>, String> {
    let set = decode(subject).map_err(|error| error.to_string())?;
    let formatted = write(&set, format_of(subject.spec));
    let again = Subject { name: String::new(), bytes: formatted, spec: subject.spec };
    if decode(&again).ok().as_ref() != Some(&set) {
        return Err("the format cannot say all of it again, so it is left as it is".to_owned());
    }
    Ok(again.bytes)
}

/// Writes a file that is there, packed ones excepted.
pub(crate) fn replace(path: &str, bytes: &[u8]) -> Result<(), Failure> {
    let at = |error: std::io::Error| Failure::new(format!("{path}: {error}"));
    if fs::read(path).map_err(at)?.starts_with(&[0x1f, 0x8b]) {
        return Err(Failure::new(format!("{path}: it is packed with gzip; unpack it first")));
    }
    fs::write(path, bytes).map_err(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        let formatted = |text: &str| {
            let subject = Subject::new("", text.into(), Some(Spec::OpenMetrics1)).unwrap();
            format(&subject).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(
            formatted("# HELP a X.\n# TYPE a counter\na_created 5\na_total{} 0017\n# EOF\n").unwrap(),
            "# TYPE a counter\n# HELP a X.\na_total 17\na_created 5\n# EOF\n"
        );
        assert!(formatted("a -\n# EOF\n").unwrap_err().contains("OM1-SYN-12"));
    }
}
