//! Cells on cache lines of their own.

/// Cells with so many unused ones before and behind them that no other data shares a cache line with them: what somebody else
/// writes close by does not disturb who writes these.
pub(crate) struct Lines<T>(Box<[T]>);

/// A cache line of eight-byte cells.
const MARGIN: usize = 8;

impl<T> Lines<T> {
    pub(crate) fn new(cells: usize, make: impl Fn() -> T) -> Self {
        Self((0..cells + 2 * MARGIN).map(|_| make()).collect())
    }

    /// The cell at a place; behind the last one perhaps one that is not used.
    #[inline(always)]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.0.get(at.wrapping_add(MARGIN))
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.get(MARGIN..self.0.len() - MARGIN).unwrap_or_default().iter()
    }
}
