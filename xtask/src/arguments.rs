//! The arguments of a task: options with a value, each at most once.

use std::fmt::Display;
use std::str::FromStr;

/// What is left of the arguments.
pub(crate) struct Arguments<'a>(Vec<&'a str>);

impl<'a> Arguments<'a> {
    pub(crate) fn new(arguments: &'a [String]) -> Self {
        Self(arguments.iter().map(String::as_str).collect())
    }

    /// Takes `name VALUE` or `name=VALUE` out.
    pub(crate) fn option<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, String> {
        let parse = |value: &str| value.parse().map(Some).map_err(|e| format!("{name} {value:?}: {e}"));
        let is_it = |a: &&str| *a == name || a.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        let Some(at) = self.0.iter().position(is_it) else { return Ok(None) };
        match self.0.remove(at).split_once('=') {
            Some((_, value)) => parse(value),
            None if at < self.0.len() => parse(self.0.remove(at)),
            None => Err(format!("{name} needs a value")),
        }
    }

    /// An error if something is left that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some(left) => Err(format!("unexpected argument {left:?}; `cargo xtask help` says what there is")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_in_both_spellings_and_what_is_left() {
        let words = ["--seconds", "5", "--target=text", "--jobs"].map(str::to_owned);
        let mut arguments = Arguments::new(&words);
        assert_eq!(arguments.option::<u64>("--seconds"), Ok(Some(5)));
        assert_eq!(arguments.option::<String>("--target"), Ok(Some("text".to_owned())));
        assert_eq!(arguments.option::<u64>("--absent"), Ok(None));
        assert_eq!(arguments.option::<u64>("--jobs"), Err("--jobs needs a value".to_owned()));

        let words = ["--seconds=x".to_owned()];
        let error = Arguments::new(&words).option::<u64>("--seconds").unwrap_err();
        assert_eq!(error, "--seconds \"x\": invalid digit found in string");

        let error = Arguments::new(&["--verbos".to_owned()]).finish().unwrap_err();
        assert!(error.contains("--verbos"), "{error}");
    }
}
