//! Gzip for expositions that are compressed again and again, feature `gzip`.
//!
//! From scrape to scrape of one target nearly all text stays: names, labels, metadata. Only values change. A
//! [`Compressor`] keeps the search for repetitions in what stays, and codes only the values anew.
//!
//! # When not to use it
//!
//! For a body that is compressed once, and for what is not lines of text, such as protobuf: there it does the work of an
//! ordinary compressor and keeps a plan for nothing. The output is about a tenth larger than that of level 6.
//!
//! # How it works
//!
//! A body is a sequence of *segments*, text that stays, each followed by a *value*, the text up to the line's end.
//! Segments make up *blocks* of some hundreds. A block's plan says how to write its segments with references to earlier
//! segments of the block. Positions shift as values grow and shrink, so a plan holds distances without the values
//! between, whose lengths are added when it is used. Values are written byte by byte.
//!
//! A plan is used if the segments are still the same, byte by byte. A block that changed is planned anew. Where blocks
//! begin depends on the segments alone (content-defined chunking), so behind a series that came or went the old blocks
//! fit again: churn costs what churned.
//!
//! All is one deflate block. Its prefix codes come from the first body and are made anew when half of the plan has been.
//!
//! Whatever the bodies are, the output is valid gzip of them ([RFC 1952]): plans decide about size and speed only.
//!
//! [RFC 1952]: https://www.rfc-editor.org/rfc/rfc1952

mod huffman;
mod plan;

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use foldhash::HashMap;

use huffman::{Codes, Frequencies, Writer};
use plan::{Block, Planner, Token, hash, split};

/// Compresses one exposition of a target after the other, fast from the second on.
///
/// Keep one for each format that a target is scraped in. It remembers a little more than the last body's size.
///
/// ```
/// # use std::io::Read;
/// use openmetrics::format::gzip::Compressor;
///
/// let mut compressor = Compressor::new();
/// for value in 0..3 {
///     let body = format!("up{{job=\"a\"}} {value}\n").repeat(1000);
///     let mut zipped = Vec::new();
///     compressor.compress(body.as_bytes(), &mut zipped);
///
///     let mut again = String::new();
///     flate2::read::GzDecoder::new(&zipped[..]).read_to_string(&mut again)?;
///     assert_eq!(again, body);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct Compressor {
    plan: Option<Plan>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let blocks = self.plan.as_ref().map_or(0, |plan| plan.blocks.len());
        f.debug_struct("Compressor").field("blocks", &blocks).finish()
    }
}

/// Smaller bodies are not worth a plan.
const SMALLEST: usize = 16 << 10;

/// What starts a gzip member: deflate, no name, no time, fastest, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

impl Compressor {
    /// One that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `body` as one gzip member.
    pub fn compress(&mut self, body: &[u8], out: &mut Vec<u8>) {
        if body.len() < SMALLEST || !is_lines(body) {
            self.plan = None;
            return compress_once(body, out);
        }
        out.extend_from_slice(&HEADER);
        let plan = match self.plan.take().filter(|plan| !plan.is_stale()) {
            Some(plan) => self.plan.insert(plan),
            None => self.plan.insert(Plan::new(body)),
        };
        plan.write(body, out);
        out.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
        out.extend_from_slice(&(body.len() as u32).to_le_bytes()); // modulo 2^32, as the RFC has it
    }
}

/// Appends `body` as one gzip member, without any memory: level 1, since a page has so many repetitions that higher
/// levels gain little for several times the work.
pub fn compress_once(body: &[u8], out: &mut Vec<u8>) {
    let mut encoder = GzEncoder::new(out, Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    let _ = encoder.finish();
}

/// Whether a body begins as the text formats do: lines of some hundred bytes, most of them not value.
fn is_lines(body: &[u8]) -> bool {
    let (mut at, mut values) = (0, 0);
    for _ in 0..64 {
        let (text_end, value_end) = split(body, at);
        values += value_end - text_end;
        at = value_end;
        if at >= body.len() {
            break;
        }
    }
    values * 2 < at && at < 1 << 18
}

/// What is known of the last body.
struct Plan {
    blocks: Vec<Block>,
    codes: Codes,
    /// Segments planned since the codes were made.
    planned: usize,
    segments: usize,
    /// The lengths of the values before each segment of a block, added up.
    shifts: Vec<u32>,
}

impl Plan {
    fn new(body: &[u8]) -> Self {
        let mut planner = Planner::new();
        let mut blocks = Vec::new();
        let mut frequencies = Frequencies::default();
        let (mut at, mut segments) = (0, 0);
        while at < body.len() {
            let (block, end) = planner.plan(body, at);
            block.count(&mut frequencies);
            let mut value = at;
            let mut text = 0;
            for segment in &block.segments {
                value += segment.text_end - text;
                text = segment.text_end;
                let bytes = body.get(value..end).unwrap_or_default();
                let length = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
                for &byte in bytes.iter().take(length) {
                    frequencies.literal(byte);
                }
                value += length;
            }
            segments += block.segments.len();
            blocks.push(block);
            at = end;
        }
        let codes = Codes::new(&frequencies);
        Self { blocks, codes, planned: 0, segments, shifts: Vec::new() }
    }

    /// Whether so much is new that the codes should be.
    fn is_stale(&self) -> bool {
        self.planned * 2 > self.segments
    }

    /// Appends the deflated body, and replaces what of the plan does not fit it.
    fn write(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let Self { blocks, codes, planned, segments, shifts } = self;
        let mut planner = None;
        let mut writer = Writer::new(out);
        writer.begin(codes);
        let mut old: Vec<Option<Block>> = std::mem::take(blocks).into_iter().map(Some).collect();
        // Where each old block is, by what it begins with; made when it is first needed.
        let mut starts: Option<HashMap<u32, usize>> = None;
        let (mut at, mut next) = (0, 0);
        *segments = 0;
        while at < body.len() {
            let fits = old.get(next).and_then(Option::as_ref);
            if let Some(end) = fits.and_then(|block| write_block(block, body, at, codes, shifts, &mut writer))
            {
                blocks.extend(old.get_mut(next).and_then(Option::take));
                at = end;
                next += 1;
            } else {
                let (block, end) = planner.get_or_insert_with(Planner::new).plan(body, at);
                *planned += block.segments.len();
                // What was just planned from these bytes fits them.
                let _ = write_block(&block, body, at, codes, shifts, &mut writer);
                blocks.push(block);
                at = end;
                let starts = starts.get_or_insert_with(|| {
                    let all = old.iter().enumerate().filter_map(|(at, block)| Some((at, block.as_ref()?)));
                    all.map(|(at, block)| (hash(block.first()), at)).collect()
                });
                let (text_end, _) = split(body, at);
                let begins = body.get(at..text_end).unwrap_or_default();
                next = starts.get(&hash(begins)).copied().unwrap_or(old.len());
            }
            *segments += blocks.last().map_or(0, |block| block.segments.len());
        }
        writer.end(codes);
    }
}

impl Block {
    fn first(&self) -> &[u8] {
        let end = self.segments.first().map_or(0, |segment| segment.text_end);
        self.text.get(..end).unwrap_or_default()
    }
}

/// Writes the part of `body` from `at` on that a block describes, and says where it ends; `None` and nothing if the body
/// is another there.
fn write_block(
    block: &Block,
    body: &[u8],
    at: usize,
    codes: &Codes,
    shifts: &mut Vec<u32>,
    writer: &mut Writer<'_>,
) -> Option<usize> {
    let before = writer.mark();
    let end = try_block(block, body, at, codes, shifts, writer);
    if end.is_none() {
        writer.go_back(before);
    }
    end
}

fn try_block(
    block: &Block,
    body: &[u8],
    at: usize,
    codes: &Codes,
    shifts: &mut Vec<u32>,
    writer: &mut Writer<'_>,
) -> Option<usize> {
    shifts.clear();
    let mut rest = body.get(at..)?;
    let mut shift = 0_u32;
    let (mut text_begin, mut tokens) = (0, block.tokens.as_slice());
    let mut token_begin = 0;
    for segment in &block.segments {
        let text = block.text.get(text_begin..segment.text_end)?;
        let value = rest.strip_prefix(text)?;
        shifts.push(shift);
        let (own, later) = tokens.split_at_checked(segment.token_end - token_begin)?;
        let mut plain = text;
        for token in own {
            match *token {
                Token::Literals { length } => {
                    let (literals, rest) = plain.split_at_checked(length as usize)?;
                    writer.literals(codes, literals);
                    plain = rest;
                }
                Token::Reference { length, distance, segment } => {
                    let (copied, rest) = plain.split_at_checked(length.into())?;
                    let between = shift - shifts.get(segment as usize).copied().unwrap_or(shift);
                    let distance = distance.saturating_add(between);
                    if distance <= 32_768 {
                        writer.reference(codes, length.into(), distance);
                    } else {
                        writer.literals(codes, copied);
                    }
                    plain = rest;
                }
            }
        }
        (text_begin, token_begin, tokens) = (segment.text_end, segment.token_end, later);
        let length = memchr::memchr(b'\n', value).unwrap_or(value.len());
        let (value, after) = value.split_at_checked(length)?;
        writer.literals(codes, value);
        shift = shift.saturating_add(length as u32);
        rest = after;
    }
    (!block.ends || rest.is_empty()).then_some(body.len() - rest.len())
}

#[cfg(test)]
mod tests;
