//! Webhooks in the manner of Standard Webhooks (standardwebhooks.com): who is told, in which words,
//! with which signature, and how often it is tried.
//!
//! In scope: settings, targets that may be asked, signatures, messages, delivery over ports. Out of
//! scope: which events are announced and their queue (crate `ledger`), and when to deliver (the host).

mod delivery;
mod message;
mod settings;
mod signature;
mod target;

pub use delivery::{BATCH, TIMEOUT, deliver, retry_after};
pub use message::Message;
pub use settings::{Endpoint, Settings};
pub use signature::Secrets;
