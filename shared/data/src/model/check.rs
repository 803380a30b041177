//! Judging input before the database is asked. Its constraints are the second line.

use serde_json::Value;
use uuid::Uuid;

use super::{Error, Object};

/// In bytes of JSON: of attributes and of other objects that callers make up.
pub(crate) const MOST_ATTRIBUTES: usize = 16_384;
/// What Postgres adds in its own form of JSON, a space after each colon and comma, counts there.
const SPACES: usize = 2;

/// A key, in small letters.
pub(crate) fn uuid(text: &str, field: &'static str) -> Result<String, Error> {
    // Other forms of a UUID that libraries read (braces, no dashes) are none of ours.
    let parsed = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
    parsed.map(|uuid| uuid.to_string()).ok_or_else(|| Error::invalid(field, "is not a UUID"))
}

/// A key of something to be: version 7 (RFC 9562).
pub(crate) fn new_uuid(text: &str, field: &'static str) -> Result<String, Error> {
    let id = uuid(text, field)?;
    if id.as_bytes()[14] == b'7' {
        Ok(id)
    } else {
        Err(Error::invalid(field, "must be of version 7"))
    }
}

pub(crate) fn maybe_uuid(
    text: Option<&String>,
    field: &'static str,
) -> Result<Option<String>, Error> {
    text.map(|text| uuid(text, field)).transpose()
}

/// One line with something in it.
pub(crate) fn line(text: &str, most: usize, field: &'static str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::invalid(field, "must not be blank"));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must be one line without control characters"));
    }
    at_most(text, most, field)
}

/// Text that may have several lines.
pub(crate) fn text(text: &str, most: usize, field: &'static str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::invalid(field, "must not contain the character U+0000"));
    }
    at_most(text, most, field)
}

pub(crate) fn maybe_text(
    given: Option<&String>,
    most: usize,
    field: &'static str,
) -> Result<(), Error> {
    given.map_or(Ok(()), |given| text(given, most, field))
}

fn at_most(text: &str, most: usize, field: &'static str) -> Result<(), Error> {
    // Not more characters than bytes: what is short in bytes need not be counted.
    if text.len() > most && (text.len() > most * 4 || text.chars().count() > most) {
        return Err(Error::invalid(field, format!("must have at most {most} characters")));
    }
    Ok(())
}

/// One of the words.
pub(crate) fn word(word: &str, words: &[&str], field: &'static str) -> Result<(), Error> {
    if words.contains(&word) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("must be one of: {}", words.join(", "))))
}

/// How people of another system call it.
pub(crate) fn external_id(text: &str, field: &'static str) -> Result<(), Error> {
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if bytes.len() <= 64
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(inner)
    {
        return Ok(());
    }
    let reason = "must have 1 to 64 letters, digits, dots, dashes and underscores, and begin with a \
        letter or a digit";
    Err(Error::invalid(field, reason))
}

/// A word of small letters, digits and underscores.
pub(crate) fn small_word(text: &str, field: &'static str) -> Result<(), Error> {
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
    if (1..=50).contains(&bytes.len()) && bytes[0].is_ascii_lowercase() && bytes.iter().all(inner) {
        return Ok(());
    }
    let reason = "must have 1 to 50 small letters, digits and underscores, and begin with a letter";
    Err(Error::invalid(field, reason))
}

/// An object that Postgres can hold, within so many bytes.
pub(crate) fn object(object: &Object, most: usize, field: &'static str) -> Result<(), Error> {
    let mut size = 2;
    for (name, value) in object {
        size += member(name, value, field)?;
    }
    within(size, most, field)
}

/// Any JSON that Postgres can hold, within so many bytes.
pub(crate) fn json(value: &Value, most: usize, field: &'static str) -> Result<(), Error> {
    let size = weigh(value, field)?;
    within(size, most, field)
}

fn within(size: usize, most: usize, field: &'static str) -> Result<(), Error> {
    if size > most {
        return Err(Error::invalid(field, format!("must have at most {most} bytes as JSON")));
    }
    Ok(())
}

/// About how many bytes the value has in Postgres, never fewer than half of it; its exact size is
/// judged there.
fn weigh(value: &Value, field: &'static str) -> Result<usize, Error> {
    Ok(match value {
        Value::Null | Value::Bool(_) => 4,
        // What is no 64-bit number could be a numeric of a hundred thousand digits there.
        Value::Number(number) => number.to_string().len(),
        Value::String(string) => weigh_text(string, field)?,
        Value::Array(all) => {
            let mut size = 2;
            for one in all {
                size += weigh(one, field)? + SPACES;
            }
            size
        }
        Value::Object(all) => {
            let mut size = 2;
            for (name, value) in all {
                size += member(name, value, field)?;
            }
            size
        }
    })
}

fn member(name: &str, value: &Value, field: &'static str) -> Result<usize, Error> {
    Ok(weigh_text(name, field)? + SPACES + weigh(value, field)? + SPACES)
}

fn weigh_text(text: &str, field: &'static str) -> Result<usize, Error> {
    if text.contains('\0') {
        return Err(Error::invalid(field, "must not contain the character U+0000"));
    }
    Ok(text.len() + 2)
}

/// A moment of RFC 3339.
pub(crate) fn moment(text: &str, field: &'static str) -> Result<(), Error> {
    // Postgres reads more than that, such as `tomorrow`.
    let shaped = text.len() >= 20
        && text.len() <= 40
        && matches!(text.as_bytes()[10], b'T' | b't' | b' ')
        && text.bytes().all(|b| b.is_ascii_digit() || b"-:.+TtZz ".contains(&b));
    if shaped && text.is_char_boundary(10) && date_of(&text[..10]) && clock(&text[11..]) {
        return Ok(());
    }
    Err(Error::invalid(field, "must be a time such as 2026-11-21T08:00:00Z"))
}

/// A day.
pub(crate) fn date(text: &str, field: &'static str) -> Result<(), Error> {
    if date_of(text) {
        return Ok(());
    }
    Err(Error::invalid(field, "must be a day such as 2026-11-21"))
}

fn date_of(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) =
        (number(&bytes[..4]), number(&bytes[5..7]), number(&bytes[8..]))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    year > 0 && (1..=days).contains(&day)
}

/// `08:00:00`, perhaps a fraction, and `Z` or an offset.
fn clock(text: &str) -> bool {
    let bytes = text.as_bytes();
    let two = |at: usize, most: u32| {
        bytes.get(at..at + 2).and_then(number).is_some_and(|number| number <= most)
    };
    let is = |at: usize, what: u8| bytes.get(at) == Some(&what);
    if !(two(0, 23) && is(2, b':') && two(3, 59) && is(5, b':') && two(6, 59)) {
        return false;
    }
    let mut at = 8;
    if is(at, b'.') {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        at += 1 + digits;
    }
    match bytes.get(at) {
        Some(b'Z' | b'z') => bytes.len() == at + 1,
        Some(b'+' | b'-') => {
            bytes.len() == at + 6 && two(at + 1, 14) && is(at + 3, b':') && two(at + 4, 59)
        }
        _ => false,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Object {
        match value {
            Value::Object(members) => members,
            _ => Object::new(),
        }
    }

    #[test]
    fn keys_have_one_form() {
        let id = "0190B3A0-0000-7000-8000-000000000001";
        assert_eq!(uuid(id, "id"), Ok(id.to_ascii_lowercase()));
        assert!(new_uuid(id, "id").is_ok());
        for bad in [
            "",
            "x",
            "0190b3a0000070008000000000000001",
            "{0190b3a0-0000-7000-8000-000000000001}",
            "0190b3a0-0000-7000-8000-00000000000\0",
            "0190b3a0-0000-7000-8000-00000000000é",
        ] {
            assert!(matches!(uuid(bad, "id"), Err(Error::Invalid { field: "id", .. })), "{bad}");
        }
        assert!(new_uuid("0190b3a0-0000-4000-8000-000000000001", "id").is_err());
    }

    #[test]
    fn text_is_counted_in_characters() {
        assert!(line(&"é".repeat(200), 200, "name").is_ok());
        assert!(line(&"é".repeat(201), 200, "name").is_err());
        for bad in ["", "  ", "a\nb", "a\0", "\u{2003}"] {
            assert!(line(bad, 200, "name").is_err(), "{bad:?}");
        }
        assert!(text("a\nb", 3, "description").is_ok());
        assert!(text("a\0b", 9, "description").is_err());
        assert!(text(&"x".repeat(10 << 20), 100_000, "description").is_err());
    }

    #[test]
    fn objects_are_weighed_and_searched_for_what_cannot_be_kept() {
        assert!(
            object(&members(json!({ "a": [1, null, { "b": "c" }] })), 100, "attributes").is_ok()
        );
        for bad in [
            json!({ "a": "b\0" }),
            json!({ "a\0": 1 }),
            json!({ "a": [{ "b": ["\0"] }] }),
            json!({ "a": "x".repeat(200) }),
        ] {
            assert!(object(&members(bad), 100, "attributes").is_err());
        }
    }

    #[test]
    fn moments_and_days_exist() {
        for good in [
            "2026-11-21T08:00:00Z",
            "2024-02-29T23:59:59.123456+05:30",
            "2026-11-21 08:00:00-00:00",
        ] {
            assert!(moment(good, "at").is_ok(), "{good}");
        }
        for bad in [
            "tomorrow",
            "2026-11-21",
            "2026-11-21T08:00:00",
            "2026-02-29T08:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T08:00:00.Z",
            "2026-11-21T08:00:00+15:00",
            "2026-11-21T08:00:00Z2026-11-21T08:00:00Z",
            "0000-11-21T08:00:00Z",
            "2026-11-2éT08:00:00Z",
        ] {
            assert!(moment(bad, "at").is_err(), "{bad}");
        }
        assert!(date("2000-02-29", "on").is_ok());
        assert!(date("1900-02-29", "on").is_err());
        assert!(date("2026-1-1", "on").is_err());
    }

    #[test]
    fn names_of_other_systems_are_short_words() {
        assert!(external_id("REQ-1.2_a", "external_id").is_ok());
        for bad in ["", "-a", "a b", "é", &"a".repeat(65)] {
            assert!(external_id(bad, "external_id").is_err(), "{bad}");
        }
        assert!(small_word("verifies", "label").is_ok());
        for bad in ["", "A", "1a", "a-b", &"a".repeat(51)] {
            assert!(small_word(bad, "label").is_err(), "{bad}");
        }
    }
}
