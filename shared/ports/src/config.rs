//! Reading settings: each is there and well-formed, or the function refuses to serve and names it.

use std::str::FromStr;

use crate::{Config, Millis};

/// A setting that keeps the function from serving. Its value is never part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("setting {setting}: {problem}")]
pub struct ConfigError {
    /// The setting's name.
    pub setting: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The text of a setting that must be there.
///
/// # Errors
/// If it is absent or empty.
pub fn required(config: &impl Config, setting: &'static str) -> Result<String, ConfigError> {
    config.get(setting).ok_or(ConfigError { setting, problem: "is not set" })
}

/// A setting that must be there, parsed by `parse`.
///
/// # Errors
/// If it is absent or `parse` refuses it; then `problem` says what it should be.
pub fn parsed<T, E>(
    config: &impl Config,
    setting: &'static str,
    problem: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, ConfigError> {
    parse(&required(config, setting)?).map_err(|_| ConfigError { setting, problem })
}

/// A setting that may be absent.
///
/// # Errors
/// If it is there and no number.
pub fn number<T: FromStr>(
    config: &impl Config,
    setting: &'static str,
) -> Result<Option<T>, ConfigError> {
    let problem = "must be a whole number in range";
    config
        .get(setting)
        .map(|text| text.trim().parse().map_err(|_| ConfigError { setting, problem }))
        .transpose()
}

/// A moment in whole seconds: digits are seconds since 1970, anything else a time of RFC 3339, such
/// as `2026-11-21T08:00:00Z`. A part of a second is refused, as tokens carry whole ones.
pub fn moment(text: &str) -> Option<Millis> {
    let text = text.trim();
    let seconds = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse::<u64>().ok()?
    } else {
        u64::try_from(rfc3339(text)?).ok()?
    };
    seconds.checked_mul(1000)
}

/// Seconds since 1970, without leap seconds.
fn rfc3339(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let sign =
        |at: usize, signs: &[u8]| text.as_bytes().get(at).is_some_and(|it| signs.contains(it));
    let separated = sign(4, b"-") && sign(7, b"-") && sign(10, b"Tt ") && sign(13, b":");
    if !(separated && sign(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let real = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let offset = match text.get(19..)? {
        "Z" | "z" => 0,
        zone if zone.len() == 6 && sign(19, b"+-") && sign(22, b":") => {
            let (hours, minutes) = (number(20, 22)?, number(23, 25)?);
            let east = if sign(19, b"+") { 60 } else { -60 };
            (hours < 24 && minutes < 60).then_some(east * (hours * 60 + minutes))?
        }
        _ => return None,
    };
    let days = days_before(year, month) + day - 1;
    real.then_some(days * 86_400 + hour * 3_600 + minute * 60 + second - offset)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to the first of the month.
fn days_before(year: i64, month: i64) -> i64 {
    let leaps = |year: i64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let years = (year - 1970) * 365 + leaps(year) - leaps(1970);
    years + (1..month).map(|month| days_of(year, month)).sum::<i64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_either_way() {
        for (text, seconds) in [
            ("0", 0),
            ("1795276800", 1_795_276_800),
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-21T16:00:00Z", 1_795_276_800),
            ("2026-11-21t18:30:00+02:30", 1_795_276_800),
            (" 2026-11-21 11:00:00-05:00 ", 1_795_276_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(moment(text), Some(seconds * 1000), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "now",
            "-1",
            "1.5",
            "99999999999999999999",
            "18446744073709551615",
            "2026-11-21",
            "2026-11-21T16:00:00",
            "2026-11-21T16:00:00.5Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T16:60:00Z",
            "2026-11-21T16:00:00+2:00",
            "2026-11-21T16:00:00+24:00",
            "1969-12-31T23:59:59Z",
            "2026-11-21T16:00:00Zé",
            "é026-11-21T16:00:00Z",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
