//! Values with an end: Spin's key-value stores keep everything for ever, so the end is stored with the
//! value, and what is over counts as absent.

use std::time::Duration;

use ports::Millis;

/// What stands before a value: its end, in milliseconds, big-endian.
const STAMP: usize = 8;
/// What has been over for so long is removed when somebody comes past: nobody writes it just now.
const FORGOTTEN: Millis = 60 * 60 * 1000;

/// A stored value as its end has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'v> {
    /// It is there.
    Value(&'v [u8]),
    /// It is over.
    Over,
    /// It has been over for long, or was never ours: it may go.
    Forgotten,
}

/// The value as it is stored, until `ttl` from `now`.
pub(super) fn wrap(value: &[u8], now: Millis, ttl: Duration) -> Vec<u8> {
    let ttl = Millis::try_from(ttl.as_millis()).unwrap_or(Millis::MAX);
    let end = now.saturating_add(ttl);
    [end.to_be_bytes().as_slice(), value].concat()
}

/// What is stored.
pub(super) fn unwrap(stored: &[u8], now: Millis) -> Found<'_> {
    let Some((end, value)) = stored.split_first_chunk::<STAMP>() else {
        return Found::Forgotten;
    };
    match Millis::from_be_bytes(*end) {
        end if end > now => Found::Value(value),
        end if end.saturating_add(FORGOTTEN) > now => Found::Over,
        _ => Found::Forgotten,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_there_until_its_end() {
        let stored = wrap(b"value", 1_000, Duration::from_secs(60));
        assert_eq!(unwrap(&stored, 1_000), Found::Value(b"value"));
        assert_eq!(unwrap(&stored, 60_999), Found::Value(b"value"));
        assert_eq!(unwrap(&stored, 61_000), Found::Over);
        assert_eq!(unwrap(&stored, 61_000 + FORGOTTEN - 1), Found::Over);
        assert_eq!(unwrap(&stored, 61_000 + FORGOTTEN), Found::Forgotten);
    }

    #[test]
    fn an_empty_value_is_a_value_and_no_end_is_too_far() {
        assert_eq!(unwrap(&wrap(b"", 5, Duration::from_millis(1)), 5), Found::Value(b""));
        assert_eq!(unwrap(&wrap(b"x", 5, Duration::MAX), Millis::MAX - 1), Found::Value(b"x"));
    }

    #[test]
    fn what_is_not_ours_counts_as_absent() {
        for stored in [b"".as_slice(), b"1234567"] {
            assert_eq!(unwrap(stored, 0), Found::Forgotten);
        }
    }
}
