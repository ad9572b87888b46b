//! MIB text to words, numbers and signs.
//!
//! Read as net-snmp reads it, since its reading decides what the names in people's configurations mean: comments end
//! with the line or with the next `--`, an underscore may stand in names, `OCTET STRING` is one word.

/// A piece of a MIB's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// The end of the text.
    End,
    /// A name or a keyword.
    Word(&'a str),
    /// A whole number, also one written as `'1F'H` or `'01'B`.
    Number(i64),
    /// What stands between double quotes.
    Text(&'a [u8]),
    /// `::=`
    Assign,
    /// `..`
    Range,
    /// Any other octet.
    Sign(u8),
}

/// Where reading is in a text.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// The line, from 1.
    pub line: u32,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes on, counting lines.
    fn pass(&mut self, octets: usize) -> &'a [u8] {
        let (passed, _) = self.rest().split_at_checked(octets).unwrap_or((self.rest(), &[]));
        self.line += memchr::memchr_iter(b'\n', passed).count() as u32;
        self.at += passed.len();
        passed
    }

    fn blank(&mut self) {
        while let Some(octet) = self.peek(0) {
            if !octet.is_ascii_whitespace() && octet != 0x0b {
                return;
            }
            self.line += u32::from(octet == b'\n');
            self.at += 1;
        }
    }

    /// The next piece.
    pub(super) fn next(&mut self) -> Token<'a> {
        loop {
            self.blank();
            let Some(octet) = self.peek(0) else { return Token::End };
            if octet == b'-' && self.peek(1) == Some(b'-') {
                self.comment();
                continue;
            }
            if is_name(octet) {
                return self.word();
            }
            return self.sign(octet);
        }
    }

    fn comment(&mut self) {
        self.at += 2;
        let rest = self.rest();
        let line = rest.get(..memchr::memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or_default();
        let end = memchr::memmem::find(line, b"--").map_or(line.len(), |at| at + 2);
        self.at += end;
    }

    fn word(&mut self) -> Token<'a> {
        let rest = self.rest();
        let end = rest.iter().position(|octet| !is_name(*octet)).unwrap_or(rest.len());
        let word = self.pass(end);
        // Octets of names are ASCII.
        let word = std::str::from_utf8(word).unwrap_or_default();
        let joined = match word {
            "OCTET" => "OCTETSTRING",
            "BIT" => "BITSTRING",
            _ => return number(word).map_or(Token::Word(word), Token::Number),
        };
        let mut ahead = self.clone();
        if ahead.next() == Token::Word("STRING") {
            *self = ahead;
            return Token::Word(joined);
        }
        Token::Word(word)
    }

    fn sign(&mut self, octet: u8) -> Token<'a> {
        self.at += 1;
        match octet {
            b'"' => {
                let length = memchr::memchr(b'"', self.rest());
                let text = self.pass(length.unwrap_or(usize::MAX));
                self.at += 1;
                if length.is_none() { Token::End } else { Token::Text(text) }
            }
            b'\'' => self.quoted_number(),
            b':' if self.rest().starts_with(b":=") => {
                self.at += 2;
                Token::Assign
            }
            b'.' if self.peek(0) == Some(b'.') => {
                self.at += 1;
                Token::Range
            }
            octet => Token::Sign(octet),
        }
    }

    /// `'1F'H` or `'01'B`, after the first quote; one with other octets in it is a sign that says nothing.
    fn quoted_number(&mut self) -> Token<'a> {
        let Some(length) = memchr::memchr(b'\'', self.rest()) else { return Token::Sign(b'\'') };
        let digits = self.pass(length);
        self.at += 1;
        let radix = match self.peek(0) {
            Some(b'h' | b'H') => 16,
            Some(b'b' | b'B') => 2,
            _ => return Token::Sign(b'\''),
        };
        self.at += 1;
        let mut value = 0_i64;
        for digit in digits {
            let Some(digit) = char::from(*digit).to_digit(radix) else { return Token::Sign(b'\'') };
            value = value.wrapping_mul(i64::from(radix)).wrapping_add(i64::from(digit));
        }
        Token::Number(value)
    }
}

fn is_name(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_'
}

/// A number; one too large for 64 bits is the largest there is.
fn number(word: &str) -> Option<i64> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    Some(word.parse().unwrap_or(if word.starts_with('-') { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Token<'_>> {
        let mut lexer = Lexer::new(text.as_bytes());
        std::iter::from_fn(|| Some(lexer.next()).filter(|token| *token != Token::End)).collect()
    }

    #[test]
    fn words_numbers_and_signs() {
        use Token::{Assign, Number, Range, Sign, Text, Word};
        assert_eq!(
            words("a-b ::= { c_d 3 } (-1..2|'1f'H) \"it's\""),
            [
                Word("a-b"),
                Assign,
                Sign(b'{'),
                Word("c_d"),
                Number(3),
                Sign(b'}'),
                Sign(b'('),
                Number(-1),
                Range,
                Number(2),
                Sign(b'|'),
                Number(31),
                Sign(b')'),
                Text(b"it's"),
            ]
        );
        assert_eq!(words("OCTET -- of\nSTRING"), [Word("OCTETSTRING")]);
        assert_eq!(words("BIT a"), [Word("BIT"), Word("a")]);
        assert_eq!(words("99999999999999999999"), [Number(i64::MAX)]);
    }

    #[test]
    fn comments_end_with_the_line_or_two_dashes() {
        use Token::Word;
        assert_eq!(words("a -- b -- c\nd"), [Word("a"), Word("c"), Word("d")]);
        assert_eq!(words("a ---- b\n-----c\nd"), [Word("a"), Word("b"), Word("-c"), Word("d")]);
        assert_eq!(words("a--b c"), [Word("a--b"), Word("c")]);
    }

    #[test]
    fn what_does_not_end_is_the_end() {
        assert_eq!(words("a \"b"), [Token::Word("a")]);
        assert_eq!(words("'"), [Token::Sign(b'\'')]);
        assert_eq!(words("''"), [Token::Sign(b'\'')]);
        assert_eq!(words("a --"), [Token::Word("a")]);
    }

    #[test]
    fn lines_are_counted() {
        let mut lexer = Lexer::new(b"a\n\"b\n\" -- c\n d");
        while lexer.next() != Token::Word("d") {}
        assert_eq!(lexer.line, 4);
    }
}
