//! What measurements share: how to time, how to count allocations, the limits of the machine, and tables of it all.
//!
//! `cargo bench -p openmetrics-benches` answers one small question at a time, with criterion. The programs in `src/bin`
//! print whole tables, ours beside other libraries (feature `peers`) and beside what the machine can do at best, all
//! from one run: only figures of one run can be compared. Losing rows are printed like the others.

pub mod corpora;
pub mod limits;
mod measure;
mod random;
#[cfg(feature = "peers")]
pub mod schema;
mod table;

pub use measure::{Allocated, allocated, nanoseconds, nanoseconds_on_threads};
pub use random::Random;
pub use table::{Table, is_wanted};
