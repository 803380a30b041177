//! Reading rows: each is one JSON object, as `to_jsonb` makes it.

use ports::Rows;
use serde_json::Value;

use super::{Error, Object};

/// A row. Taking a member out leaves the others.
pub(crate) struct Record(Object);

impl Record {
    pub(crate) fn parse(json: &str) -> Result<Self, Error> {
        serde_json::from_str(json).map(Self).map_err(Error::internal)
    }

    /// The record in the last column of a row.
    pub(crate) fn of(row: Vec<Option<String>>) -> Result<Self, Error> {
        let last = row.into_iter().next_back().flatten();
        Self::parse(&last.ok_or_else(|| Error::internal("a row without a record"))?)
    }

    /// A text that stays.
    pub(crate) fn peek(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    /// Any member that is there and not null.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn maybe_text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<String, Error> {
        self.maybe_text(name).ok_or_else(|| Error::internal(format!("no {name} in a record")))
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<i64, Error> {
        self.take(name)
            .and_then(|value| value.as_i64())
            .ok_or_else(|| Error::internal(format!("no number {name} in a record")))
    }

    pub(crate) fn maybe_object(&mut self, name: &str) -> Option<Object> {
        match self.take(name)? {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Object {
        self.maybe_object(name).unwrap_or_default()
    }

    /// A record within; an empty one if there is none.
    pub(crate) fn record(&mut self, name: &str) -> Self {
        Self(self.object(name))
    }

    pub(crate) fn records(&mut self, name: &str) -> Vec<Self> {
        let Some(Value::Array(all)) = self.take(name) else { return Vec::new() };
        let objects = all.into_iter().filter_map(|one| match one {
            Value::Object(object) => Some(Self(object)),
            _ => None,
        });
        objects.collect()
    }

    /// A moment, see [`moment`].
    pub(crate) fn maybe_moment(&mut self, name: &str) -> Option<String> {
        self.maybe_text(name).map(|text| moment(&text))
    }

    pub(crate) fn moment(&mut self, name: &str) -> Result<String, Error> {
        self.text(name).map(|text| moment(&text))
    }

    /// Counts by name.
    pub(crate) fn counts(&mut self, name: &str) -> std::collections::BTreeMap<String, u64> {
        let all = self.object(name).into_iter();
        all.filter_map(|(name, count)| Some((name, count.as_u64()?))).collect()
    }
}

/// Postgres's JSON of a moment (UTC, which every transaction sets) as RFC 3339 in milliseconds.
pub(crate) fn moment(text: &str) -> String {
    let (Some(seconds), Some(rest)) = (text.get(..19), text.get(19..)) else {
        return text.to_owned();
    };
    let digits: String = match rest.strip_prefix('.') {
        Some(rest) => rest.chars().take_while(char::is_ascii_digit).take(3).collect(),
        None => String::new(),
    };
    format!("{seconds}.{digits:0<3}Z")
}

/// The only column of rows of two: a name, a count.
pub(crate) fn counts(rows: Rows) -> Result<std::collections::BTreeMap<String, u64>, Error> {
    let count = |row: Vec<Option<String>>| {
        let [Some(name), Some(count)] = <[_; 2]>::try_from(row).ok()? else { return None };
        Some((name, count.parse().ok()?))
    };
    let all = rows.rows.into_iter().map(count).collect::<Option<_>>();
    all.ok_or_else(|| Error::internal("a count that is none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_milliseconds() {
        assert_eq!(moment("2026-11-21T22:30:02.123456+00:00"), "2026-11-21T22:30:02.123Z");
        assert_eq!(moment("2026-11-21T22:30:02.5+00:00"), "2026-11-21T22:30:02.500Z");
        assert_eq!(moment("2026-11-21T22:30:02+00:00"), "2026-11-21T22:30:02.000Z");
        assert_eq!(moment("odd"), "odd");
    }
}
