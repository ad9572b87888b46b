//! Requests and answers as plain data, so that whatever judges them needs no socket.

use std::borrow::Cow;
use std::time::Duration;

/// What is asked of an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Who asks so, or why, for messages.
    pub(crate) who: &'static str,
    pub(crate) method: &'static str,
    /// `Accept`, if it is sent.
    pub(crate) accept: Option<Cow<'static, str>>,
    /// `Accept-Encoding`, if it is sent.
    pub(crate) coding: Option<&'static str>,
}

impl Ask {
    /// A GET without any header that chooses.
    pub(crate) const fn get(who: &'static str) -> Self {
        Self { who, method: "GET", accept: None, coding: None }
    }

    pub(crate) const fn method(who: &'static str, method: &'static str) -> Self {
        Self { who, method, accept: None, coding: None }
    }

    pub(crate) fn accepting(mut self, accept: impl Into<Cow<'static, str>>) -> Self {
        self.accept = Some(accept.into());
        self
    }

    pub(crate) const fn coding(mut self, coding: &'static str) -> Self {
        self.coding = Some(coding);
        self
    }
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether it is HTTP/1.0, which closes the connection.
    pub(crate) old_http: bool,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// As it came, compressed or not.
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
}

impl Answer {
    /// The first header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether the body is said to be gzip.
    pub(crate) fn is_gzip(&self) -> bool {
        self.header("content-encoding").is_some_and(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
    }

    /// The body without its compression.
    pub(crate) fn plain_body(&self) -> std::io::Result<Cow<'_, [u8]>> {
        if !self.is_gzip() {
            return Ok(Cow::Borrowed(&self.body));
        }
        crate::subject::unpack(&self.body).map(Cow::Owned)
    }
}

/// Whatever answers: an endpoint over HTTP, or a function in a test.
pub(crate) trait Transport: Sync {
    /// Sends a request and waits for the answer; what keeps it from coming is told in words.
    fn send(&self, ask: &Ask) -> Result<Answer, String>;
}

impl<F: Fn(&Ask) -> Result<Answer, String> + Sync> Transport for F {
    fn send(&self, ask: &Ask) -> Result<Answer, String> {
        self(ask)
    }
}
