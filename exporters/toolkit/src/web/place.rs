//! Where things stand in a configuration file, so that mistakes can be told with their place.

use std::fmt;
use std::ops::Deref;
use std::path::Path;

use serde::de::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};

/// A value and where it stands; null, or nothing at all, is the default.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    value: T,
    place: Option<Place>,
}

/// A line and a column of a file, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    line: u64,
    column: u64,
}

/// What is wrong with a configuration file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    place: Option<Place>,
    message: String,
}

impl<T> Placed<T> {
    /// Where it stands, without the value.
    pub(crate) fn place(&self) -> Placed<()> {
        Placed { value: (), place: self.place }
    }

    /// A mistake in this value.
    pub(crate) fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake { place: self.place, message: message.into() }
    }
}

impl Mistake {
    /// A mistake at a place that the YAML reader found.
    pub(crate) fn at(location: Option<Location>, message: impl Into<String>) -> Self {
        Self { place: location.and_then(place), message: message.into() }
    }

    /// The same as a line for people: file, line, column and message, as compilers have them.
    pub(crate) fn in_file(&self, path: &Path) -> String {
        let path = path.display();
        if self.place.is_some() { format!("{path}:{self}") } else { format!("{path}: {self}") }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl From<&str> for Mistake {
    fn from(message: &str) -> Self {
        Self { place: None, message: message.to_owned() }
    }
}

fn place(location: Location) -> Option<Place> {
    let (line, column) = (location.line(), location.column());
    (line > 0).then_some(Place { line, column })
}

impl<T> From<T> for Placed<T> {
    fn from(value: T) -> Self {
        Self { value, place: None }
    }
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Option<T>>::deserialize(deserializer)?;
        Ok(Self { value: value.unwrap_or_default(), place: place(referenced) })
    }
}
