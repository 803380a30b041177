//! One line per event on the error stream, and no flood of them: in an outage every request fails.

use std::{
    fmt::Display,
    sync::{Mutex, PoisonError},
};

use tokio::time::{Duration, Instant};

/// So many lines are written in each window.
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(1);

static LIMIT: Mutex<Limit> = Mutex::new(Limit { since: None, lines: 0 });

/// Says what happened; never SQL, parameters or credentials.
pub(crate) fn log(event: &impl Display) {
    let mut limit = LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    let (is_allowed, kept_back) = limit.count(Instant::now());
    if kept_back > 0 {
        eprintln!("atoms-edge-proxy: {kept_back} more events were not written");
    }
    if is_allowed {
        eprintln!("atoms-edge-proxy: {event}");
    }
}

struct Limit {
    since: Option<Instant>,
    lines: u32,
}

impl Limit {
    /// Whether one more line may be written, and how many were not in the window that has ended.
    fn count(&mut self, now: Instant) -> (bool, u32) {
        let is_new = self.since.is_none_or(|since| now.duration_since(since) >= WINDOW);
        let mut kept_back = 0;
        if is_new {
            kept_back = self.lines.saturating_sub(LINES);
            *self = Self { since: Some(now), lines: 0 };
        }
        self.lines += 1;
        (self.lines <= LINES, kept_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_told_later() {
        let mut limit = Limit { since: None, lines: 0 };
        let start = Instant::now();
        let written = (0..50).filter(|_| limit.count(start).0).count();
        assert_eq!(written, 20);
        assert_eq!(limit.count(start + WINDOW), (true, 30));
        assert_eq!(limit.count(start + WINDOW), (true, 0));
    }
}
