//! What the project's tools and its tests share: the peers, foreign programs that judge what we serve.

pub mod peers;
