//! Times as people read them. A page without a script does not know the reader's time zone, so moments
//! are in UTC and say so, and what is near is told by how long ago it is.

use crate::html::Html;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Beyond the year 9999 there is nothing to be told.
const LAST: u64 = 253_402_300_799;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment in seconds since 1970, as "21 November 2026, 16:05 UTC".
pub(crate) fn moment(html: &mut Html, seconds: u64) {
    let Civil { year, month, day, hour, minute } = Civil::of(seconds);
    html.raw("<time").attribute("datetime", &machine(seconds)).raw(">");
    let name = MONTHS.get(month - 1).copied().unwrap_or_default();
    html.text(&format!("{day} {name} {year}, {hour:02}:{minute:02} UTC")).raw("</time>");
}

/// How long ago a moment is: "5 minutes ago".
pub(crate) fn ago(html: &mut Html, seconds: u64, now: u64) {
    html.raw("<time").attribute("datetime", &machine(seconds)).raw(">");
    let passed = now.saturating_sub(seconds);
    let (number, unit) = match passed {
        0..MINUTE => (0, ""),
        MINUTE..HOUR => (passed / MINUTE, "minute"),
        HOUR..DAY => (passed / HOUR, "hour"),
        _ => (passed / DAY, "day"),
    };
    match number {
        0 => html.raw("just now"),
        1 => html.raw("1 ").raw(unit).raw(" ago"),
        _ => html.number(number).raw(" ").raw(unit).raw("s ago"),
    };
    html.raw("</time>");
}

/// As the attribute `datetime` has it.
fn machine(seconds: u64) -> String {
    let Civil { year, month, day, hour, minute } = Civil::of(seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}Z")
}

struct Civil {
    year: u64,
    month: usize,
    day: u64,
    hour: u64,
    minute: u64,
}

impl Civil {
    /// By the algorithm of Howard Hinnant's "chrono-compatible low-level date algorithms": years that
    /// begin in March, so that the leap day is the last.
    fn of(seconds: u64) -> Self {
        let seconds = seconds.min(LAST);
        let days = seconds / DAY + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: year + era * 400 + u64::from(month <= 2),
            month: month as usize,
            day,
            hour: seconds % DAY / HOUR,
            minute: seconds % HOUR / MINUTE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::default();
        write(&mut html);
        html.finish()
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (seconds, iso, words) in [
            (0, "1970-01-01T00:00Z", "1 January 1970, 00:00 UTC"),
            (951_868_799, "2000-02-29T23:59Z", "29 February 2000, 23:59 UTC"),
            (1_795_276_800, "2026-11-21T16:00Z", "21 November 2026, 16:00 UTC"),
            (4_107_542_400, "2100-03-01T00:00Z", "1 March 2100, 00:00 UTC"),
            (u64::MAX, "9999-12-31T23:59Z", "31 December 9999, 23:59 UTC"),
        ] {
            let expected = format!("<time datetime=\"{iso}\">{words}</time>");
            assert_eq!(written(|html| moment(html, seconds)), expected);
        }
    }

    #[test]
    fn what_is_near_is_told_by_how_long_ago_it_is() {
        let now = 1_795_276_800;
        for (passed, words) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3_599, "59 minutes ago"),
            (3_600, "1 hour ago"),
            (86_399, "23 hours ago"),
            (86_400, "1 day ago"),
            (30 * 86_400, "30 days ago"),
        ] {
            let told = written(|html| ago(html, now - passed, now));
            assert!(told.ends_with(&format!(">{words}</time>")), "{told}");
        }
        assert!(written(|html| ago(html, now + 5, now)).contains("just now"), "clocks differ");
    }
}
