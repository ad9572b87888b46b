//! Forms of the page at `/`: what a person would write into a query by hand.

use std::fmt::Write as _;

use crate::landing::escape;

/// A form for a [`Route`](crate::Route): fields whose names are those of the query's parameters.
///
/// ```
/// use openmetrics_exporter_toolkit::{Field, Form};
///
/// let form = Form::new("Ask")
///     .field(Field::text("target", "Device", "192.0.2.1"))
///     .field(Field::choice("module", "Modules", ["if_mib", "system"]).chosen("if_mib").several());
/// ```
#[derive(Clone, Debug)]
pub struct Form {
    button: String,
    fields: Vec<Field>,
    others: Vec<(String, String)>,
}

impl Form {
    /// A form without fields that is sent by this button.
    pub fn new(button: impl Into<String>) -> Self {
        Self { button: button.into(), fields: Vec::new(), others: Vec::new() }
    }

    /// With one more field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// With a further button, which sends the fields to another path.
    #[must_use]
    pub fn button(mut self, path: impl Into<String>, button: impl Into<String>) -> Self {
        self.others.push((path.into(), button.into()));
        self
    }

    pub(crate) fn html(&self, path: &str, about: &str) -> String {
        let mut html = format!("<h2>{}</h2>\n<form action=\"{}\">\n", escape(&capital(about)), escape(path));
        for field in &self.fields {
            field.write(&mut html);
        }
        let _ = write!(html, "<p><button>{}</button>", escape(&self.button));
        for (path, button) in &self.others {
            let _ = write!(html, " <button formaction=\"{}\">{}</button>", escape(path), escape(button));
        }
        html.push_str("</p>\n</form>\n");
        html
    }
}

/// A field of a [`Form`].
#[derive(Clone, Debug)]
pub struct Field {
    name: String,
    label: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Text { example: String, filled: bool },
    Choice { options: Vec<String>, chosen: String, several: bool },
}

impl Field {
    /// A line of text that has to be there, and an example of one, which is shown until something is written.
    pub fn text(name: impl Into<String>, label: impl Into<String>, example: impl Into<String>) -> Self {
        let kind = Kind::Text { example: example.into(), filled: false };
        Self { name: name.into(), label: label.into(), kind }
    }

    /// The example is filled in.
    #[must_use]
    pub fn filled(mut self, is_filled: bool) -> Self {
        if let Kind::Text { filled, .. } = &mut self.kind {
            *filled = is_filled;
        }
        self
    }

    /// One of some texts.
    pub fn choice(
        name: impl Into<String>,
        label: impl Into<String>,
        options: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let options = options.into_iter().map(Into::into).collect();
        let kind = Kind::Choice { options, chosen: String::new(), several: false };
        Self { name: name.into(), label: label.into(), kind }
    }

    /// The choice that is made at first.
    #[must_use]
    pub fn chosen(mut self, option: &str) -> Self {
        if let Kind::Choice { chosen, .. } = &mut self.kind {
            option.clone_into(chosen);
        }
        self
    }

    /// Several can be chosen.
    #[must_use]
    pub fn several(mut self) -> Self {
        if let Kind::Choice { several, .. } = &mut self.kind {
            *several = true;
        }
        self
    }

    fn write(&self, html: &mut String) {
        /// How many choices are in sight at once.
        const IN_SIGHT: usize = 8;
        let (name, label) = (escape(&self.name), escape(&self.label));
        let _ = write!(html, "<p><label>{label}<br>");
        match &self.kind {
            Kind::Text { example, filled } => {
                let (attribute, example) = (if *filled { "value" } else { "placeholder" }, escape(example));
                let _ =
                    write!(html, "<input name=\"{name}\" {attribute}=\"{example}\" size=\"40\" required>");
            }
            Kind::Choice { options, chosen, several } => {
                let several = if *several {
                    format!(" multiple size=\"{}\"", options.len().clamp(2, IN_SIGHT))
                } else {
                    String::new()
                };
                let _ = write!(html, "<select name=\"{name}\"{several}>");
                for option in options {
                    let selected = if option == chosen { " selected" } else { "" };
                    let _ = write!(html, "<option{selected}>{}</option>", escape(option));
                }
                html.push_str("</select>");
            }
        }
        html.push_str("</label></p>\n");
    }
}

/// The text with a capital letter in front.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_whole() {
        let form = Form::new("Ask")
            .field(Field::text("target", "Device", "<a>"))
            .field(Field::choice("auth", "As", ["x", "y&z"]).chosen("y&z"))
            .field(Field::choice("module", "Modules", ["m", "n", "o"]).several())
            .button("/other", "Look");
        assert_eq!(
            form.html("/ask", "a device"),
            "<h2>A device</h2>\n<form action=\"/ask\">\n\
             <p><label>Device<br><input name=\"target\" placeholder=\"&lt;a&gt;\" size=\"40\" required></label></p>\n\
             <p><label>As<br><select name=\"auth\"><option>x</option><option selected>y&amp;z</option></select></label></p>\n\
             <p><label>Modules<br><select name=\"module\" multiple size=\"3\"><option>m</option><option>n</option>\
             <option>o</option></select></label></p>\n\
             <p><button>Ask</button> <button formaction=\"/other\">Look</button></p>\n</form>\n"
        );
    }
}
