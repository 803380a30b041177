//! Strict reading of arguments against their table. All that is wrong is said at once; each sentence
//! names the argument and says what to do.

use serde_json::{Map, Value};

use super::kind::{Kind, Member};

/// No more faults are told at once.
const MOST_FAULTS: usize = 10;

/// Arguments that are as their table has them.
#[derive(Debug, Clone)]
pub(crate) struct Arguments(Map<String, Value>);

/// What is wrong with arguments: one sentence for each.
pub(crate) type Faults = Vec<String>;

/// Check arguments against the table of the operation `of`.
pub(crate) fn check(
    of: &str,
    table: &[Member],
    given: Map<String, Value>,
) -> Result<Arguments, Faults> {
    let mut checker = Checker { of, faults: Vec::new() };
    let read = checker.record("", table, given);
    if checker.faults.is_empty() { Ok(Arguments(read)) } else { Err(checker.faults) }
}

/// The sentence about an argument.
pub(crate) fn fault(field: &str, advice: impl std::fmt::Display) -> String {
    format!("Argument `{field}`: {advice}")
}

impl Arguments {
    /// A text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    /// A text that the table asks for.
    pub(crate) fn given(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    /// A text that null takes away: absent, none, or some.
    pub(crate) fn change(&self, name: &str) -> Option<Option<String>> {
        self.0.get(name).map(|value| value.as_str().map(str::to_owned))
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_f64().map(|number| number as i64)
    }

    /// Whether the flag is there and true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Texts; none if the list is absent.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let all = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Option<Map<String, Value>> {
        self.0.get(name)?.as_object().cloned()
    }

    /// Any value that is there.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    /// Objects.
    pub(crate) fn objects(&self, name: &str) -> Vec<Map<String, Value>> {
        let all = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|one| one.as_object().cloned()).collect()
    }

    /// The same without some, as text that does not depend on how they were sent.
    pub(crate) fn canonical(&self, without: &[&str]) -> String {
        let mut rest = self.0.clone();
        rest.retain(|name, _| !without.contains(&name.as_str()));
        Value::Object(rest).to_string()
    }

    /// The same with the flag set.
    pub(crate) fn with_flag(&self, name: &str) -> Self {
        let mut all = self.0.clone();
        all.insert(name.to_owned(), Value::Bool(true));
        Self(all)
    }
}

struct Checker<'a> {
    of: &'a str,
    faults: Faults,
}

impl Checker<'_> {
    fn fault(&mut self, field: &str, advice: impl std::fmt::Display) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault(field, advice));
        }
    }

    fn record(
        &mut self,
        path: &str,
        table: &[Member],
        given: Map<String, Value>,
    ) -> Map<String, Value> {
        for stranger in given.keys().filter(|name| !table.iter().any(|known| known.name == *name)) {
            let shown: String = stranger.chars().filter(|c| !c.is_control()).take(64).collect();
            let known: Vec<_> = table.iter().map(|member| member.name).collect();
            let (of, known) = (self.of, known.join(", "));
            let advice = format!("unknown to {of}; remove it. Known are: {known}.");
            self.fault(&format!("{path}{shown}"), advice);
        }
        let mut read = Map::new();
        let mut given = given;
        for member in table {
            let field = format!("{path}{}", member.name);
            match given.remove(member.name) {
                None if member.required => {
                    self.fault(&field, format_args!("is missing; give {}.", form(&member.kind)));
                }
                None => {}
                Some(Value::Null) if member.nullable => {
                    read.insert(member.name.to_owned(), Value::Null);
                }
                Some(value) => {
                    if let Some(value) = self.value(&field, &member.kind, value) {
                        read.insert(member.name.to_owned(), value);
                    }
                }
            }
        }
        read
    }

    fn value(&mut self, field: &str, kind: &Kind, value: Value) -> Option<Value> {
        match (kind, value) {
            (Kind::Record(table), Value::Object(given)) => {
                Some(Value::Object(self.record(&format!("{field}."), table, given)))
            }
            (Kind::List(kind, most), Value::Array(given)) => {
                if given.len() > *most {
                    self.fault(field, format_args!("must have at most {most} entries."));
                    return None;
                }
                let mut read = Vec::new();
                for (at, one) in given.into_iter().enumerate() {
                    read.extend(self.value(&format!("{field}[{at}]"), kind, one));
                }
                Some(Value::Array(read))
            }
            (kind, value) => match single(kind, value) {
                Ok(value) => Some(value),
                Err(advice) => {
                    self.fault(field, advice);
                    None
                }
            },
        }
    }
}

/// A value without parts of its own, or what it must be.
fn single(kind: &Kind, value: Value) -> Result<Value, String> {
    let fits = match (kind, &value) {
        (_, Value::String(given)) => return text(kind, given).map(Value::String),
        (Kind::Integer(least, most), Value::Number(number)) => {
            number.as_f64().is_some_and(|number| {
                // 5.0 is an integer to JSON Schema, too.
                number.fract() == 0.0 && (*least as f64..=*most as f64).contains(&number)
            })
        }
        (Kind::Flag, Value::Bool(_)) => true,
        (Kind::Free(most), Value::Object(_)) => return free(value, *most),
        _ => false,
    };
    if fits { Ok(value) } else { Err(wrong(kind)) }
}

/// A string of the kind.
fn text(kind: &Kind, given: &str) -> Result<String, String> {
    let fits = match kind {
        Kind::Id => return uuid(given).ok_or_else(|| wrong(kind)),
        Kind::Line(most) => return line(given, *most),
        Kind::Text(most) => return lines(given, *most),
        Kind::Token(most) => {
            let graphic = given.bytes().all(|byte| byte.is_ascii_graphic());
            graphic && (1..=*most).contains(&given.len())
        }
        Kind::Moment => ports::config::moment(given).is_some() && given.contains(':'),
        Kind::OneOf(words) => words.contains(&given),
        _ => false,
    };
    if fits { Ok(given.to_owned()) } else { Err(wrong(kind)) }
}

/// An object of the caller's own making.
fn free(value: Value, most: usize) -> Result<Value, String> {
    let text = value.to_string();
    if text.len() > most {
        return Err(format!("must have at most {most} bytes as JSON."));
    }
    // Postgres stores no U+0000, neither in text nor in JSON.
    if text.contains("\\u0000") {
        return Err("must not contain the character U+0000.".to_owned());
    }
    Ok(value)
}

fn wrong(kind: &Kind) -> String {
    format!("must be {}; omit it if there is none.", form(kind))
}

/// What a value of the kind looks like, to follow "must be" or "give".
fn form(kind: &Kind) -> String {
    match kind {
        Kind::Id => "an id, a UUID from an earlier answer".to_owned(),
        Kind::Line(most) => format!("a string, one line of 1 to {most} characters"),
        Kind::Text(most) => format!("a string of at most {most} characters"),
        Kind::Token(most) => {
            format!(
                "a string of 1 to {most} characters without spaces, as an earlier answer has it"
            )
        }
        Kind::Integer(least, most) => format!("an integer from {least} to {most}"),
        Kind::Count | Kind::Number => "a number".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Moment => "a time such as 2026-11-21T08:00:00Z".to_owned(),
        Kind::OneOf(words) => format!("one of: {}", words.join(", ")),
        Kind::List(kind, most) => {
            format!("an array of at most {most} entries, each {}", form(kind))
        }
        Kind::Record(_) | Kind::Free(_) | Kind::Counts => "an object".to_owned(),
    }
}

/// A UUID in its usual form, in small letters.
pub(crate) fn uuid(text: &str) -> Option<String> {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let well_formed = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'-' => dash(at),
            byte => byte.is_ascii_hexdigit() && !dash(at),
        });
    well_formed.then(|| text.to_ascii_lowercase())
}

fn line(text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most {
        return Err(format!("must have 1 to {most} characters, not only spaces."));
    }
    if text.chars().any(char::is_control) {
        return Err("must be one line without control characters.".to_owned());
    }
    Ok(text.to_owned())
}

fn lines(text: &str, most: usize) -> Result<String, String> {
    if text.chars().count() > most {
        return Err(format!("must have at most {most} characters."));
    }
    let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(forbidden) {
        let advice = "must not contain control characters other than line breaks and tabs.";
        return Err(advice.to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::kind::{clear, may, members, must};
    use super::*;

    const STEP: &[Member] = &[must("name", Kind::Line(5), ""), may("config", Kind::Free(20), "")];
    const TABLE: &[Member] = &[
        must("id", Kind::Id, ""),
        clear("note", Kind::Text(5), ""),
        may("at", Kind::Moment, ""),
        may("steps", Kind::List(&Kind::Record(STEP), 2), ""),
        may("word", Kind::OneOf(&["a", "b"]), ""),
        may("key", Kind::Token(3), ""),
        may("count", Kind::Integer(-1, 7), ""),
    ];
    const ID: &str = "0190B3A0-0000-7000-8000-000000000001";

    fn read(given: Value) -> Result<Arguments, Faults> {
        check("do_it", TABLE, members(given))
    }

    #[test]
    fn what_fits_is_read() {
        let read = read(json!({
            "id": ID, "note": null, "at": "2026-11-21T08:00:00Z", "word": "b", "key": "a1", "count": 7.0,
            "steps": [{ "name": " x ", "config": { "a": 1 } }],
        }));
        let read = read.expect("arguments");
        assert_eq!(read.given("id"), ID.to_ascii_lowercase());
        assert_eq!(
            (read.change("note"), read.change("word")),
            (Some(None), Some(Some("b".into())))
        );
        assert_eq!((read.number("count"), read.flag("nope")), (Some(7), false));
        assert_eq!(read.objects("steps")[0]["name"], "x");
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let faults = read(json!({
            "note": "123456", "at": "yesterday", "steps": [{ "config": [] }, { "name": "", "x": 1 }],
            "word": "c", "key": "a b", "count": 8, "more": 1,
        }))
        .expect_err("faults");
        let fields: Vec<_> = faults.iter().filter_map(|fault| fault.split('`').nth(1)).collect();
        let expected = [
            "more",
            "id",
            "note",
            "at",
            "steps[0].name",
            "steps[0].config",
            "steps[1].x",
            "steps[1].name",
            "word",
            "key",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn nothing_that_the_database_could_not_keep_is_let_through() {
        for given in [
            json!({ "id": ID, "note": "a\u{0}" }),
            json!({ "id": ID, "steps": [{ "name": "a\nb" }] }),
            json!({ "id": ID, "steps": [{ "name": "a", "config": { "a\u{0}": 1 } }] }),
            json!({ "id": ID, "steps": [{ "name": "a", "config": { "a": "123456789012345678" } }] }),
            json!({ "id": ID, "steps": [{ "name": "a" }, { "name": "a" }, { "name": "a" }] }),
            json!({ "id": "0190b3a0-0000-7000-8000-00000000000g" }),
            json!({ "id": "0190b3a000-00-7000-8000-000000000001" }),
            json!({ "id": ID, "key": "é" }),
            json!({ "id": ID, "count": 1e300 }),
            json!({ "id": ID, "count": "1" }),
            json!({ "id": ID, "count": null }),
        ] {
            assert!(read(given.clone()).is_err(), "{given}");
        }
    }
}
