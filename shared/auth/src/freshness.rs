//! How long an answer may be kept, by what its host says of it: RFC 9111 section 4.2, within bounds of
//! our own.

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderName};
use ports::Millis;
use ports::config::moment;

/// A minute.
pub(crate) const MINUTE: Millis = 60_000;
/// A day.
pub(crate) const DAY: Millis = 24 * 60 * MINUTE;
/// What nothing is said of.
const USUAL: Millis = 60 * MINUTE;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// For how long an answer with these headers, which has just come, is fresh: at least a minute, so that nobody makes us ask for
/// every request, and at most a day, so that whoever has been deceived is not for long.
pub(crate) fn fresh_for(headers: &HeaderMap, now: Millis) -> Millis {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let told = match text(CACHE_CONTROL).and_then(max_age) {
        Some(seconds) => {
            let age = text(AGE).and_then(|age| age.trim().parse().ok()).unwrap_or(0);
            Some(seconds.saturating_sub(age).saturating_mul(1000))
        }
        None => text(EXPIRES).map(|end| {
            // What is no date is over, RFC 9111 section 5.3.
            let from = text(DATE).and_then(http_date).unwrap_or(now);
            http_date(end).map_or(0, |end| end.saturating_sub(from))
        }),
    };
    told.unwrap_or(USUAL).clamp(MINUTE, DAY)
}

/// The seconds of `Cache-Control`; we are a shared cache. `None` if it says nothing of time.
fn max_age(text: &str) -> Option<u64> {
    let directives = || text.split(',').map(|one| one.trim().to_ascii_lowercase());
    let seconds = |name: &str| {
        directives().find_map(|one| {
            let (key, value) = one.split_once('=')?;
            (key.trim() == name).then(|| value.trim().trim_matches('"').parse().unwrap_or(0))
        })
    };
    if directives().any(|one| matches!(one.as_str(), "no-store" | "no-cache" | "private")) {
        return Some(0);
    }
    seconds("s-maxage").or_else(|| seconds("max-age"))
}

/// A date in the one form that is written today, RFC 9110 section 5.6.7.
fn http_date(text: &str) -> Option<Millis> {
    let (_, date) = text.trim().split_once(", ")?;
    let mut parts = date.strip_suffix(" GMT")?.split(' ');
    let (day, month) = (parts.next()?, parts.next()?);
    let (year, time) = (parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    moment(&format!("{year}-{month:02}-{day}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T16:00:00Z.
    const NOW: Millis = 1_795_276_800_000;

    fn told(headers: &[(HeaderName, &str)]) -> Millis {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        fresh_for(&headers.collect(), NOW)
    }

    #[test]
    fn what_the_host_says_counts_within_bounds() {
        for (control, minutes) in [
            ("max-age=600", 10),
            ("public, Max-Age=\"600\"", 10),
            ("max-age=600, s-maxage=1200", 20),
            ("max-age=1", 1),
            ("max-age=0", 1),
            ("max-age=x", 1),
            ("max-age=-1", 1),
            ("no-store", 1),
            ("no-cache, max-age=600", 1),
            ("private, max-age=600", 1),
            ("max-age=99999999999999999999", 1),
            ("max-age=18446744073709551615", 24 * 60),
            ("max-age=31536000, immutable", 24 * 60),
            ("must-revalidate", 60),
            ("", 60),
        ] {
            assert_eq!(told(&[(CACHE_CONTROL, control)]), minutes * MINUTE, "{control}");
        }
        assert_eq!(told(&[]), 60 * MINUTE);
        assert_eq!(told(&[(CACHE_CONTROL, "max-age=600"), (AGE, "240")]), 6 * MINUTE);
        assert_eq!(told(&[(CACHE_CONTROL, "max-age=600"), (AGE, "9999")]), MINUTE);
    }

    #[test]
    fn an_end_is_told_by_a_date() {
        let date = (DATE, "Sat, 21 Nov 2026 15:50:00 GMT");
        for (expires, minutes) in [
            ("Sat, 21 Nov 2026 16:20:00 GMT", 30),
            ("Sun, 22 Nov 2026 16:30:00 GMT", 24 * 60),
            ("Sat, 21 Nov 2026 15:00:00 GMT", 1),
            ("0", 1),
            ("Saturday, 21-Nov-26 16:30:00 GMT", 1),
            ("Sat, 21 Xxx 2026 16:30:00 GMT", 1),
        ] {
            assert_eq!(told(&[date.clone(), (EXPIRES, expires)]), minutes * MINUTE, "{expires}");
        }
        let far = (EXPIRES, "Sat, 21 Nov 2026 16:30:00 GMT");
        assert_eq!(told(std::slice::from_ref(&far)), 30 * MINUTE, "from now on");
        assert_eq!(told(&[date, far, (CACHE_CONTROL, "max-age=300")]), 5 * MINUTE);
    }
}
