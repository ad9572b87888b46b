//! Protobuf.

mod assemble;
pub mod openmetrics;
mod parts;
pub mod prometheus;
mod visit;
mod wire;

pub use assemble::Findings;
pub use visit::{Family, Finding, Place, Visitor};

use crate::format::Escaping;
use crate::format::text::repeated;
use crate::model::{Labels, Part, Refusal, is_classic_label_name};

/// Names that were different may be the same when escaped (ESC-07).
#[inline]
fn check_label_names(labels: &Labels<'_>, escaping: Escaping) -> Result<(), Refusal> {
    let is_classic = |part| match part {
        Part::Rendered(_) => true,
        Part::Pairs(pairs) => pairs.iter().all(|(name, _)| is_classic_label_name(name)),
        Part::Set(set) => set.iter().all(|label| label.name.is_classic()),
    };
    if escaping == Escaping::AllowUtf8 || labels.parts().all(is_classic) {
        return Ok(());
    }
    match repeated(labels.iter().map(|(name, _)| escaping.label_name(name))) {
        Some(name) => Err(Refusal::new("ESC-07", format!("two labels are called {name:?} when escaped"))),
        None => Ok(()),
    }
}
