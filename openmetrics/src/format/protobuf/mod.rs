//! Protobuf.

mod assemble;
mod parts;
pub mod prometheus;
mod visit;
mod wire;

pub use assemble::Findings;
pub use visit::{Family, Finding, Place, Visitor};
