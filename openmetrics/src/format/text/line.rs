//! One sample line, piece by piece: name, labels, and what is quoted or escaped in them.

use crate::format::Escaping;
use crate::model::{Labels, Part, is_classic_label_name, is_classic_metric_name};

/// A family's name as it stands in samples.
#[derive(Default)]
pub(crate) struct Name {
    /// Escaped for inside quotes, if it needs them.
    text: Vec<u8>,
    quoted: bool,
}

impl Name {
    /// Takes over a name that the escaping scheme has been through, and a classic suffix.
    pub(crate) fn set(&mut self, name: &str, suffix: &str) {
        self.text.clear();
        self.quoted = !is_classic_metric_name(name);
        if self.quoted {
            push_escaped(&mut self.text, name);
        } else {
            self.text.extend_from_slice(name.as_bytes());
        }
        self.text.extend_from_slice(suffix.as_bytes());
    }

    pub(crate) fn is_quoted(&self) -> bool {
        self.quoted
    }

    /// Appends it as metadata lines have it.
    pub(crate) fn push(&self, suffix: &str, out: &mut Vec<u8>) {
        if self.quoted {
            out.push(b'"');
        }
        out.extend_from_slice(&self.text);
        out.extend_from_slice(suffix.as_bytes());
        if self.quoted {
            out.push(b'"');
        }
    }
}

/// A line whose name is written and whose labels are still coming.
pub(crate) struct Line<'o> {
    pub(crate) out: &'o mut Vec<u8>,
    escaping: Escaping,
    /// What goes before the next label: `{` as long as there is none.
    separator: u8,
}

impl<'o> Line<'o> {
    /// Begins a sample.
    #[inline]
    pub(crate) fn begin(out: &'o mut Vec<u8>, escaping: Escaping, name: &Name, suffix: &str) -> Self {
        let mut separator = b'{';
        if name.quoted {
            out.push(b'{');
            separator = b',';
        }
        name.push(suffix, out);
        Self { out, escaping, separator }
    }

    /// Begins a label set without a name, as exemplars have it.
    pub(crate) fn nameless(out: &'o mut Vec<u8>, escaping: Escaping) -> Self {
        Self { out, escaping, separator: b'{' }
    }

    /// Adds labels.
    #[inline]
    pub(crate) fn labels(&mut self, labels: &Labels<'_>) {
        for part in labels.parts() {
            match part {
                Part::Rendered(rendered) if rendered.text.is_empty() => {
                    Labels::rendered("", rendered.protobuf)
                        .iter()
                        .for_each(|(name, value)| self.label(name, &value));
                }
                Part::Rendered(rendered) => {
                    self.separate();
                    self.out.extend_from_slice(rendered.text.as_bytes());
                }
                Part::Pairs(pairs) => pairs.iter().for_each(|(name, value)| self.label(name, value)),
                Part::Set(set) => set.iter().for_each(|l| self.label(l.name.as_str(), &l.value)),
            }
        }
    }

    /// Adds one label of any name.
    pub(crate) fn label(&mut self, name: &str, value: &str) {
        self.open_label(name);
        push_escaped(self.out, value);
        self.out.push(b'"');
    }

    /// Adds a label whose value needs no escaping.
    #[inline]
    pub(crate) fn plain_label(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"=\"");
        value(self.out);
        self.out.push(b'"');
    }

    /// Closes the labels; the value comes next.
    #[inline]
    pub(crate) fn end_labels(self) -> &'o mut Vec<u8> {
        if self.separator == b',' {
            self.out.push(b'}');
        }
        self.out.push(b' ');
        self.out
    }

    /// Closes the labels with braces around even none.
    pub(crate) fn end_braced(mut self) -> &'o mut Vec<u8> {
        if self.separator == b'{' {
            self.separate();
        }
        self.end_labels()
    }

    #[inline]
    fn separate(&mut self) {
        self.out.push(self.separator);
        self.separator = b',';
    }

    fn open_label(&mut self, name: &str) {
        self.separate();
        if is_classic_label_name(name) {
            self.out.extend_from_slice(name.as_bytes());
        } else if self.escaping == Escaping::AllowUtf8 {
            self.out.push(b'"');
            push_escaped(self.out, name);
            self.out.push(b'"');
        } else {
            self.out.extend_from_slice(self.escaping.label_name(name).as_bytes());
        }
        self.out.extend_from_slice(b"=\"");
    }
}

/// Appends text for inside quotes: backslash, quote and line feed escaped (OM1-SYN-05).
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut done = 0;
    let bytes = text.as_bytes();
    for at in memchr::memchr3_iter(b'\\', b'"', b'\n', bytes) {
        out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
        out.push(b'\\');
        out.push(match bytes.get(at) {
            Some(b'\n') => b'n',
            Some(&other) => other,
            None => b'\\',
        });
        done = at + 1;
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
}

/// Appends the text of a `HELP` line of Prometheus text, where quotes stay as they are (P4-06).
pub(crate) fn push_escaped_outside_quotes(out: &mut Vec<u8>, text: &str) {
    let mut done = 0;
    let bytes = text.as_bytes();
    for at in memchr::memchr2_iter(b'\\', b'\n', bytes) {
        out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
        out.extend_from_slice(if bytes.get(at) == Some(&b'\n') { b"\\n" } else { b"\\\\" });
        done = at + 1;
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
}
