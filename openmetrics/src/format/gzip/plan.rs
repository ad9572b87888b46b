//! The parse of what stays: segments of text, and the matches between them.

use super::huffman::Frequencies;

/// Segments that were compressed together; matches stay within a block, so blocks may come and go.
#[derive(Default)]
pub(super) struct Block {
    /// All segments' text.
    pub(super) text: Vec<u8>,
    pub(super) segments: Vec<Segment>,
    pub(super) tokens: Vec<Token>,
    /// Whether nothing follows the last segment: the body ends with it.
    pub(super) ends: bool,
}

/// Text that a value follows, from the end of the value before: `\nrequests_total{code="200"} `, with metadata lines
/// that stand between.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    /// Where its text ends; it begins where the one before ends.
    pub(super) text_end: usize,
    pub(super) token_end: usize,
}

/// A piece of a segment.
#[derive(Clone, Copy)]
pub(super) enum Token {
    /// So many bytes as they are.
    Literals { length: u32 },
    /// A repetition.
    Reference {
        length: u16,
        /// How far back it would be without the values between, in 1..=32768.
        distance: u32,
        /// The segment that it repeats.
        segment: u32,
    },
}

/// Shorter repetitions cost more than their bytes.
const SHORTEST: usize = 4;
const LONGEST: usize = 258;
const WINDOW: usize = 32_768;
/// How many candidates are tried for a repetition.
const TRIES: usize = 6;
/// Where a value is expected to have grown to at most. A longer one is no fault: what lies out of reach for it is written
/// out.
const VALUE: usize = 24;

/// A block ends before a segment whose hash has these bits clear, so that the same segments make the same blocks whatever
/// comes before them: one in 256.
const BOUNDARY: u32 = 0xff << 24;
/// A block has no more segments than this, and no more text than that.
const MOST_SEGMENTS: usize = 1024;
const MOST_TEXT: usize = 1 << 20;

/// Finds the next segment and the value behind it: their ends. A body's first segment begins with a line, all others
/// with the line feed of the value before.
///
/// Any split makes a valid plan; a good one has what changes in the values.
pub(super) fn split(body: &[u8], from: usize) -> (usize, usize) {
    let rest = |at: usize| body.get(at..).unwrap_or_default();
    let mut at = from + usize::from(body.get(from) == Some(&b'\n'));
    while body.get(at) == Some(&b'#') {
        match memchr::memchr(b'\n', rest(at)) {
            Some(length) => at += length + 1,
            None => return (body.len(), body.len()),
        }
    }
    if at >= body.len() {
        return (body.len(), body.len());
    }
    let line_end = memchr::memchr(b'\n', rest(at)).map_or(body.len(), |length| at + length);
    let line = body.get(at..line_end).unwrap_or_default();
    (at + head(line), line_end)
}

/// The length of name and labels and the blank behind them.
fn head(line: &[u8]) -> usize {
    let after_blank = |from: usize| {
        let found = memchr::memchr(b' ', line.get(from..).unwrap_or_default());
        found.map_or(line.len(), |length| from + length + 1)
    };
    let Some(open) = memchr::memchr2(b'{', b' ', line).filter(|&at| line.get(at) == Some(&b'{')) else {
        return after_blank(0);
    };
    let mut at = open;
    while let Some(found) = memchr::memchr2(b'"', b'}', line.get(at..).unwrap_or_default()) {
        at += found + 1;
        if line.get(at - 1) == Some(&b'}') {
            return after_blank(at);
        }
        // A quoted text: on to the quote that no backslash stands before.
        while let Some(found) = memchr::memchr2(b'"', b'\\', line.get(at..).unwrap_or_default()) {
            at += found + 1;
            if line.get(at - 1) == Some(&b'"') {
                break;
            }
            at += 1;
        }
    }
    line.len()
}

/// What begins at a segment, for finding the block that began with it before.
pub(super) fn hash(text: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for chunk in text.chunks(8) {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        let mixed = (u64::from(hash) ^ u64::from_le_bytes(bytes)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (mixed >> 32) as u32 ^ mixed as u32;
    }
    hash
}

/// The tables that matches are found with. Whoever has planned drops them: the next body mostly needs none, and they are
/// larger than a usual plan.
pub(super) struct Planner {
    /// The last place of each hash of four bytes, plus one.
    heads: Vec<u32>,
    /// What is known of each place, of the last ones that matches reach to: a ring.
    places: Vec<Place>,
}

/// A place in a block's text that repetitions may begin at.
#[derive(Clone, Copy, Default)]
struct Place {
    /// How far back the one before with the same hash is; 0 if there is none, or out of reach.
    back: u16,
    /// The segment that it is in: fewer than [`MOST_SEGMENTS`].
    owner: u16,
}

const HASH_BITS: u32 = 13;

impl Planner {
    pub(super) fn new() -> Self {
        Self { heads: vec![0; 1 << HASH_BITS], places: Vec::with_capacity(WINDOW) }
    }

    /// Plans a block from `from` on, and says where it ends.
    pub(super) fn plan(&mut self, body: &[u8], from: usize) -> (Block, usize) {
        self.heads.fill(0);
        let mut block = Block::default();
        let mut at = from;
        loop {
            let (text_end, value_end) = split(body, at);
            let text = body.get(at..text_end).unwrap_or_default();
            let full = block.segments.len() >= MOST_SEGMENTS || block.text.len() >= MOST_TEXT;
            if !block.segments.is_empty() && (full || hash(text) & BOUNDARY == 0) {
                return (block, at);
            }
            self.add(&mut block, text);
            at = value_end;
            if at >= body.len() {
                block.ends = text_end == value_end;
                return (block, at);
            }
        }
    }

    /// Appends one segment.
    fn add(&mut self, block: &mut Block, text: &[u8]) {
        let begin = block.text.len();
        let owner = block.segments.len();
        block.text.extend_from_slice(text);
        let end = block.text.len();
        let (mut at, mut known, mut plain) = (begin, begin, begin);
        let mut found = self.find(block, at, owner);
        while at < end {
            let Some(Match { length, source, segment }) = found else {
                self.remember(block, owner, &mut known, at + 1);
                at += 1;
                found = self.find(block, at, owner);
                continue;
            };
            // A longer one a byte later is worth that byte.
            self.remember(block, owner, &mut known, at + 1);
            let later = self.find(block, at + 1, owner);
            if later.is_some_and(|other| other.length > length + 1) {
                at += 1;
                found = later;
                continue;
            }
            push_literals(&mut block.tokens, at - plain);
            block.tokens.push(Token::Reference {
                length: length as u16,
                distance: (at - source) as u32,
                segment: segment as u32,
            });
            self.remember(block, owner, &mut known, at + length);
            at += length;
            plain = at;
            found = self.find(block, at, owner);
        }
        push_literals(&mut block.tokens, end - plain);
        block.segments.push(Segment { text_end: end, token_end: block.tokens.len() });
    }

    /// The longest repetition at a place. All places before it that can be reached are entered, and it is not.
    fn find(&self, block: &Block, at: usize, owner: usize) -> Option<Match> {
        let here = block.text.get(at..)?;
        let key = key(here)?;
        let most = here.len().min(LONGEST);
        let mut best = None;
        let mut longest = SHORTEST - 1;
        let mut next = self.heads.get(key).copied().unwrap_or(0) as usize;
        for _ in 0..TRIES {
            let Some(source) = next.checked_sub(1).filter(|source| at - source <= WINDOW) else { break };
            let place = self.places.get(source % WINDOW).copied().unwrap_or_default();
            let segment = usize::from(place.owner);
            if at - source + (owner - segment) * VALUE > WINDOW {
                break;
            }
            // Beyond its segment a value would stand between.
            let segment_end = block.segments.get(segment).map_or(block.text.len(), |s| s.text_end);
            let there = block.text.get(source..segment_end).unwrap_or_default();
            // A longer one has to agree where the longest so far ended.
            let length = if there.get(longest) == here.get(longest) { common(here, there, most) } else { 0 };
            if length > longest {
                longest = length;
                best = Some(Match { length, source, segment });
                if length == most {
                    break;
                }
            }
            if place.back == 0 {
                break;
            }
            next -= usize::from(place.back);
        }
        best
    }

    /// Enters all places of a segment up to `to` that are not entered yet.
    fn remember(&mut self, block: &Block, owner: usize, known: &mut usize, to: usize) {
        while *known < to {
            let Some(key) = block.text.get(*known..).and_then(key) else { break };
            let slot = *known % WINDOW;
            if slot >= self.places.len() {
                self.places.resize(slot + 1, Place::default());
            }
            if let (Some(head), Some(place)) = (self.heads.get_mut(key), self.places.get_mut(slot)) {
                let here = *known + 1;
                let back = if *head == 0 { 0 } else { here - *head as usize };
                *place = Place { back: u16::try_from(back).unwrap_or(0), owner: owner as u16 };
                *head = here as u32;
            }
            *known += 1;
        }
    }
}

/// A repetition.
#[derive(Clone, Copy)]
struct Match {
    length: usize,
    /// Where it stood before.
    source: usize,
    /// The segment that it stood in.
    segment: usize,
}

/// How many bytes two texts have in common, up to `most`; eight are compared at once.
fn common(a: &[u8], b: &[u8], most: usize) -> usize {
    let most = most.min(a.len()).min(b.len());
    let mut length = 0;
    while let (Some(x), Some(y)) = (eight(a, length), eight(b, length)) {
        let different = x ^ y;
        if different != 0 {
            return (length + different.trailing_zeros() as usize / 8).min(most);
        }
        length += 8;
    }
    let (a, b) = (a.get(length..most).unwrap_or_default(), b.get(length..most).unwrap_or_default());
    (length + a.iter().zip(b).take_while(|(a, b)| a == b).count()).min(most)
}

fn eight(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

fn key(text: &[u8]) -> Option<usize> {
    let four = u32::from_le_bytes(*text.first_chunk()?);
    Some((four.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize)
}

fn push_literals(tokens: &mut Vec<Token>, length: usize) {
    if length > 0 {
        tokens.push(Token::Literals { length: length as u32 });
    }
}

impl Block {
    /// Counts the symbols that writing the block takes, values aside.
    pub(super) fn count(&self, frequencies: &mut Frequencies) {
        let mut at = 0;
        for token in &self.tokens {
            match *token {
                Token::Literals { length } => {
                    let literals = self.text.get(at..at + length as usize).unwrap_or_default();
                    for &byte in literals {
                        frequencies.literal(byte);
                    }
                    at += length as usize;
                }
                Token::Reference { length, distance, .. } => {
                    frequencies.reference(length.into(), distance);
                    at += usize::from(length);
                }
            }
        }
    }
}
