//! What the service tells its operators: one log line per request, the trace context of W3C, and
//! the health model.
//!
//! Out of scope: where lines go (port `Log`), what is probed (function `health`).

pub mod health;
pub mod log;
pub mod trace;

pub use log::{Facts, RequestLine, Severity};
pub use trace::Trace;
