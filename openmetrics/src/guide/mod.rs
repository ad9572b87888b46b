//! How to measure a program: which type, which name, which labels, and what a histogram is. Pages to read, no code to call.
//!
//! | question | page |
//! |---|---|
//! | Is it a counter, a gauge, a histogram? | [`choosing`] |
//! | What is it called, and in which unit? | [`naming`] |
//! | Which labels, and how many series is too many? | [`labels`] |
//! | What does a histogram know, and which kind is right? | [`histograms`] |
//! | I come from another crate. | [`from_prometheus_client`], [`from_prometheus`], [`from_metrics`] |

#[doc = include_str!("choosing.md")]
pub mod choosing {}

#[doc = include_str!("naming.md")]
pub mod naming {}

#[doc = include_str!("labels.md")]
pub mod labels {}

#[doc = include_str!("histograms.md")]
pub mod histograms {}

#[doc = include_str!("from_prometheus_client.md")]
pub mod from_prometheus_client {}

#[doc = include_str!("from_prometheus.md")]
pub mod from_prometheus {}

#[doc = include_str!("from_metrics.md")]
pub mod from_metrics {}
