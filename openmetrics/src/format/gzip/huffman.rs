//! Prefix codes of deflate and the bits they make (RFC 1951, 3.2).

/// Literals, the end of the block, and lengths.
pub(super) const SYMBOLS: usize = 286;
/// Distances.
pub(super) const DISTANCES: usize = 30;
/// The symbol that ends a block.
pub(super) const END: usize = 256;
/// No code may be longer.
const LONGEST: u32 = 15;

/// Bits to write, the first one lowest.
#[derive(Clone, Copy, Default)]
pub(super) struct Code {
    pub(super) bits: u32,
    pub(super) count: u32,
}

/// How often each symbol is to be expected.
pub(super) struct Frequencies {
    pub(super) symbols: [u32; SYMBOLS],
    pub(super) distances: [u32; DISTANCES],
}

impl Default for Frequencies {
    /// Every symbol once, so that each has a code whatever comes later.
    fn default() -> Self {
        Self { symbols: [1; SYMBOLS], distances: [1; DISTANCES] }
    }
}

impl Frequencies {
    pub(super) fn literal(&mut self, byte: u8) {
        bump(&mut self.symbols, byte.into());
    }

    pub(super) fn reference(&mut self, length: usize, distance: u32) {
        bump(&mut self.symbols, length_symbol(length).0);
        bump(&mut self.distances, distance_symbol(distance).0);
    }
}

fn bump(counts: &mut [u32], at: usize) {
    if let Some(count) = counts.get_mut(at) {
        *count = count.saturating_add(1);
    }
}

/// The codes of a block.
pub(super) struct Codes {
    literals: [Code; 256],
    /// Length symbol and extra bits in one, by length; 0 to 2 are not used.
    lengths: [Code; 259],
    distances: [Code; DISTANCES],
    end: Code,
    /// The block's header: its kind and the lengths of all codes.
    header: Vec<Code>,
}

impl Codes {
    pub(super) fn new(frequencies: &Frequencies) -> Self {
        let symbols: [Code; SYMBOLS] = codes(&frequencies.symbols);
        let distances: [Code; DISTANCES] = codes(&frequencies.distances);
        let at = |symbol: usize| symbols.get(symbol).copied().unwrap_or_default();
        let header = header(symbols.iter().chain(&distances));
        Self {
            literals: std::array::from_fn(at),
            lengths: std::array::from_fn(|length| {
                if length < 3 {
                    return Code::default();
                }
                let (symbol, extra, bits) = length_symbol(length);
                let code = at(symbol);
                Code { bits: code.bits | extra << code.count, count: code.count + bits }
            }),
            distances,
            end: at(END),
            header,
        }
    }
}

/// A block that is the last one, of the kind that brings its codes, which are 286 and 30. Their lengths are written as they
/// are, four bits each: 158 bytes, whatever the codes.
fn header<'c>(all: impl Iterator<Item = &'c Code>) -> Vec<Code> {
    const ORDER: [u32; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let mut header: Vec<Code> =
        [(1, 1), (2, 2), (SYMBOLS as u32 - 257, 5), (DISTANCES as u32 - 1, 5), (15, 4)]
            .map(|(bits, count)| Code { bits, count })
            .to_vec();
    // Code lengths 0 to 15 have codes of four bits, the three for repetitions have none.
    header.extend(ORDER.map(|length| Code { bits: if length < 16 { 4 } else { 0 }, count: 3 }));
    header.extend(all.map(|code| Code { bits: reversed(code.count, 4), count: 4 }));
    header
}

/// Canonical codes (RFC 1951, 3.2.2), none longer than [`LONGEST`].
fn codes<const N: usize>(frequencies: &[u32; N]) -> [Code; N] {
    let mut weights = frequencies.map(u64::from);
    let lengths = loop {
        let lengths = code_lengths(&weights);
        if lengths.iter().all(|&length| length <= LONGEST) {
            break lengths;
        }
        // Flatter weights make a flatter tree; all equal, it is nine deep at most.
        weights = weights.map(|weight| weight.div_ceil(2));
    };
    let mut next = 0_u32;
    let mut codes = [Code::default(); N];
    for count in 1..=LONGEST {
        next <<= 1;
        for (code, _) in codes.iter_mut().zip(&lengths).filter(|(_, length)| **length == count) {
            *code = Code { bits: reversed(next, count), count };
            next += 1;
        }
    }
    codes
}

fn reversed(code: u32, count: u32) -> u32 {
    code.reverse_bits() >> (32 - count)
}

/// Huffman's algorithm with two queues: leaves by weight, and the inner nodes, which arise by weight.
fn code_lengths<const N: usize>(weights: &[u64; N]) -> [u32; N] {
    let mut leaves: [usize; N] = std::array::from_fn(|leaf| leaf);
    leaves.sort_by_key(|&leaf| weights.get(leaf));
    let mut leaves = leaves.into_iter().peekable();
    let mut inner: Vec<u64> = Vec::with_capacity(N);
    let mut merged = 0;
    let mut parents = vec![0; 2 * N];
    let weight = |leaf: usize| weights.get(leaf).copied().unwrap_or(0);
    while inner.len() + 1 < N {
        let mut sum = 0;
        for _ in 0..2 {
            let (node, weight) = match (leaves.peek(), inner.get(merged)) {
                (Some(&leaf), Some(&other)) if other < weight(leaf) => {
                    merged += 1;
                    (N + merged - 1, other)
                }
                (None, Some(&other)) => {
                    merged += 1;
                    (N + merged - 1, other)
                }
                _ => {
                    let leaf = leaves.next().unwrap_or(0);
                    (leaf, weight(leaf))
                }
            };
            sum += weight;
            if let Some(parent) = parents.get_mut(node) {
                *parent = N + inner.len();
            }
        }
        inner.push(sum);
    }
    // A node's parent comes after it, so depths are known from the root back.
    let root = 2 * N - 2;
    let mut depths = vec![0_u32; 2 * N];
    for node in (0..root).rev() {
        let parent = parents.get(node).copied().unwrap_or(root);
        let depth = depths.get(parent).copied().unwrap_or(0) + 1;
        if let Some(place) = depths.get_mut(node) {
            *place = depth;
        }
    }
    std::array::from_fn(|leaf| depths.get(leaf).copied().unwrap_or(0))
}

/// Symbol, extra bits and their number, for a length in 3..=258.
fn length_symbol(length: usize) -> (usize, u32, u32) {
    match length {
        258 => (285, 0, 0),
        3..=10 => (254 + length, 0, 0),
        _ => {
            // Four symbols to each power of two.
            let offset = length as u32 - 3;
            let bits = offset.ilog2() - 2;
            let symbol = 257 + 4 * bits + (offset >> bits);
            (symbol as usize, offset & ((1 << bits) - 1), bits)
        }
    }
}

/// Symbol, extra bits and their number, for a distance in 1..=32768.
#[inline]
fn distance_symbol(distance: u32) -> (usize, u32, u32) {
    let offset = distance - 1;
    if offset < 2 {
        return (offset as usize, 0, 0);
    }
    // Two symbols to each power of two.
    let bits = offset.ilog2() - 1;
    let symbol = 2 * bits + (offset >> bits);
    (symbol as usize, offset & ((1 << bits) - 1), bits)
}

/// Writes codes to the end of a buffer.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    waiting: u64,
    count: u32, // below 32 between calls
}

/// A place to go back to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    length: usize,
    waiting: u64,
    count: u32,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, waiting: 0, count: 0 }
    }

    pub(super) fn begin(&mut self, codes: &Codes) {
        for &code in &codes.header {
            self.put(code);
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { length: self.out.len(), waiting: self.waiting, count: self.count }
    }

    pub(super) fn go_back(&mut self, to: Mark) {
        self.out.truncate(to.length);
        (self.waiting, self.count) = (to.waiting, to.count);
    }

    /// Appends up to 32 bits.
    #[inline]
    fn put(&mut self, code: Code) {
        self.waiting |= u64::from(code.bits) << self.count;
        self.count += code.count;
        if self.count >= 32 {
            self.out.extend_from_slice(&(self.waiting as u32).to_le_bytes());
            self.waiting >>= 32;
            self.count -= 32;
        }
    }

    #[inline]
    pub(super) fn literals(&mut self, codes: &Codes, bytes: &[u8]) {
        let code = |byte: u8| codes.literals.get(usize::from(byte)).copied().unwrap_or_default();
        let mut pairs = bytes.chunks_exact(2);
        for pair in &mut pairs {
            if let &[first, second] = pair {
                let (first, second) = (code(first), code(second));
                self.put(Code {
                    bits: first.bits | second.bits << first.count,
                    count: first.count + second.count,
                });
            }
        }
        for &byte in pairs.remainder() {
            self.put(code(byte));
        }
    }

    /// `length` in 3..=258, `distance` in 1..=32768.
    #[inline]
    pub(super) fn reference(&mut self, codes: &Codes, length: usize, distance: u32) {
        self.put(codes.lengths.get(length).copied().unwrap_or_default());
        let (symbol, extra, bits) = distance_symbol(distance);
        let code = codes.distances.get(symbol).copied().unwrap_or_default();
        self.put(Code { bits: code.bits | extra << code.count, count: code.count + bits });
    }

    /// Ends the block and fills up the last byte.
    pub(super) fn end(mut self, codes: &Codes) {
        self.put(codes.end);
        let bytes = self.waiting.to_le_bytes();
        let used = self.count.div_ceil(8) as usize;
        self.out.extend_from_slice(bytes.get(..used).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of RFC 1951, 3.2.5: first length or distance of each symbol, and its extra bits.
    #[test]
    fn symbols_are_those_of_the_rfc() {
        let lengths = [
            3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
            163, 195, 227, 258,
        ];
        let length_bits =
            [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
        for length in 3..=258 {
            let at = lengths.partition_point(|&first| first <= length) - 1;
            let expected = (257 + at, (length - lengths[at]) as u32, length_bits[at]);
            assert_eq!(length_symbol(length), expected, "{length}");
        }
        let distances = [
            1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
            3073, 4097, 6145, 8193, 12289, 16385, 24577,
        ];
        for distance in 1..=32768 {
            let at = distances.partition_point(|&first| first <= distance) - 1;
            let bits = (at as u32 / 2).saturating_sub(1);
            assert_eq!(distance_symbol(distance), (at, distance - distances[at], bits), "{distance}");
        }
    }

    #[test]
    fn codes_fill_the_tree_and_are_not_too_long() {
        let mut fibonacci = [1_u32; DISTANCES];
        for at in 2..DISTANCES {
            fibonacci[at] = fibonacci[at - 1] + fibonacci[at - 2];
        }
        for frequencies in [[1; DISTANCES], fibonacci] {
            let codes = codes(&frequencies);
            assert!(codes.iter().all(|code| (1..=LONGEST).contains(&code.count)));
            let filled: u32 = codes.iter().map(|code| 1 << (LONGEST - code.count)).sum();
            assert_eq!(filled, 1 << LONGEST, "Kraft's sum is one");
        }
    }
}
