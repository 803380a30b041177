//! What the terminal shows: a line per step, with its outcome and seconds.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

/// A step that went well.
pub(crate) fn done(what: &str, took: Duration) {
    line(&format!("✓ {what:<36} {:>7.1} s", took.as_secs_f64()));
}

/// A step that did not.
pub(crate) fn failed(what: &str, took: Duration) {
    line(&format!("✗ {what:<36} {:>7.1} s", took.as_secs_f64()));
}

/// Why the command ends.
pub(crate) fn error(error: &anyhow::Error) {
    line(&format!("✗ {error:#}"));
}

/// A plain line, on the error stream: the output stream is for results.
pub(crate) fn line(text: &str) {
    let mut stream = stderr().lock();
    let clear = if stream.is_terminal() { "\r\x1b[2K" } else { "" };
    // Nobody may be reading.
    let _ = writeln!(stream, "{clear}{text}");
}

/// What is going on right now, in place on a terminal.
pub(crate) fn progress(what: &str, took: Duration, detail: &str) {
    let mut stream = stderr().lock();
    let text = format!("… {what} ({} s) {}", took.as_secs(), detail.trim());
    let short: String = text.chars().take(78).collect();
    let _ = if stream.is_terminal() {
        write!(stream, "\r\x1b[2K{short}").and_then(|()| stream.flush())
    } else {
        writeln!(stream, "{short}")
    };
}

/// How often to show progress: often in place, seldom where it leaves a line behind.
pub(crate) fn rhythm() -> Duration {
    if stderr().is_terminal() { Duration::from_millis(200) } else { Duration::from_secs(20) }
}
