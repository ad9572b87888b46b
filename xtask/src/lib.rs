//! What the project's tools and its tests share: the peers, foreign programs that judge what we serve, and what strangers
//! do to it.

pub mod abuse;
mod folder;
pub mod peers;

pub use folder::Folder;
