//! Where bytes are written to: the output itself, or a window at its end for what is written over and over.

/// Takes bytes one after the other.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    /// The first `length` bytes of a block. A copy of known size whose end is dropped is quicker than one of a few bytes
    /// of unknown number.
    fn put_start<const N: usize>(&mut self, block: &[u8; N], length: usize);

    #[inline]
    fn put_byte(&mut self, byte: u8) {
        self.put_start(&[byte], 1);
    }
}

impl Put for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline]
    fn put_start<const N: usize>(&mut self, block: &[u8; N], length: usize) {
        let end = self.len() + length;
        self.extend_from_slice(block);
        self.truncate(end);
    }
}

/// A window of zeros that bytes are written into. Its place is a local of whoever writes, and so stays in a register,
/// where a vector's length goes through memory with every byte.
///
/// What does not fit is left out, and [`is_full`](Pen::is_full) then tells so.
pub(crate) struct Pen<'b> {
    window: &'b mut [u8],
    at: usize,
    is_full: bool,
}

impl<'b> Pen<'b> {
    pub(crate) fn new(window: &'b mut [u8]) -> Self {
        Self { window, at: 0, is_full: false }
    }

    /// How many bytes were written.
    pub(crate) fn written(&self) -> usize {
        self.at
    }

    /// Whether something was left out.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }
}

impl Put for Pen<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        match self.window.get_mut(self.at..end) {
            Some(window) => {
                window.copy_from_slice(bytes);
                self.at = end;
            }
            None => self.is_full = true,
        }
    }

    #[inline]
    fn put_start<const N: usize>(&mut self, block: &[u8; N], length: usize) {
        match self.window.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut) {
            Some(window) => {
                *window = *block;
                self.at += length;
            }
            None => self.is_full = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn a_pen_writes_what_a_vector_takes_or_says_that_it_is_full(pieces: Vec<Vec<u8>>, room: u8) -> bool {
            let mut window = vec![0; usize::from(room)];
            let mut pen = Pen::new(&mut window);
            let mut expected: Vec<u8> = Vec::new();
            for piece in &pieces {
                pen.put(piece);
                pen.put(piece);
                pen.put_start(b"12345678", piece.len().min(8));
                pen.put_byte(b'x');
                expected.put(piece);
                expected.put(piece);
                expected.put_start(b"12345678", piece.len().min(8));
                expected.put_byte(b'x');
            }
            let (written, is_full) = (pen.written(), pen.is_full());
            let fits = expected.len() + 8 <= usize::from(room);
            if is_full { !fits } else { window.get(..written) == Some(&*expected) }
        }
    }
}
