//! The kinds of values that operations take and give, as tables, and the JSON schemas made from them.
//!
//! Only keywords that every client takes are used: no composition, no references, no patterns.

use serde_json::{Map, Value, json};

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A UUID.
    Id,
    /// One line of at most so many characters, with something in it.
    Line(usize),
    /// Text of at most so many characters; it may have several lines.
    Text(usize),
    /// Characters that mean something to us or to the caller only, at most so many.
    Token(usize),
    /// A whole number within these bounds.
    Integer(i64, i64),
    /// A number of things.
    Count,
    /// Any number.
    Number,
    /// True or false.
    Flag,
    /// A moment of RFC 3339, such as `2026-11-21T08:00:00Z`.
    Moment,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// At most so many values of one kind.
    List(&'static Kind, usize),
    /// An object with these members and no other.
    Record(&'static [Member]),
    /// An object of the caller's own making, of at most so many bytes of JSON.
    Free(usize),
    /// An object of numbers.
    Counts,
}

/// A member of an object, or an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) kind: Kind,
    /// For models: what it means.
    pub(crate) about: &'static str,
    /// Whether it must be there.
    pub(crate) required: bool,
    /// Whether null says something: that there is none.
    pub(crate) nullable: bool,
}

/// A member that must be there.
pub(crate) const fn must(name: &'static str, kind: Kind, about: &'static str) -> Member {
    Member { name, kind, about, required: true, nullable: false }
}

/// A member that may be absent.
pub(crate) const fn may(name: &'static str, kind: Kind, about: &'static str) -> Member {
    Member { name, kind, about, required: false, nullable: false }
}

/// A member that may be absent, and that null takes away.
pub(crate) const fn clear(name: &'static str, kind: Kind, about: &'static str) -> Member {
    Member { name, kind, about, required: false, nullable: true }
}

/// A member that is always there, if only as null.
pub(crate) const fn null(name: &'static str, kind: Kind, about: &'static str) -> Member {
    Member { name, kind, about, required: true, nullable: true }
}

impl Kind {
    /// The JSON schema of the kind, 2020-12.
    pub(crate) fn schema(&self) -> Map<String, Value> {
        let schema = match self {
            Self::Id => json!({ "type": "string", "format": "uuid" }),
            Self::Line(most) => json!({ "type": "string", "minLength": 1, "maxLength": most }),
            Self::Text(most) => json!({ "type": "string", "maxLength": most }),
            Self::Token(most) => json!({ "type": "string", "minLength": 1, "maxLength": most }),
            Self::Integer(least, most) => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Self::Count => json!({ "type": "integer", "minimum": 0 }),
            Self::Number => json!({ "type": "number" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Moment => json!({ "type": "string", "format": "date-time" }),
            Self::OneOf(words) => json!({ "type": "string", "enum": words }),
            Self::List(kind, most) => {
                json!({ "type": "array", "items": kind.schema(), "maxItems": most })
            }
            Self::Record(members) => return record(members),
            Self::Free(_) => json!({ "type": "object" }),
            Self::Counts => {
                json!({ "type": "object", "additionalProperties": { "type": "integer" } })
            }
        };
        members(schema)
    }
}

impl Member {
    /// The schema of the member's value.
    pub(crate) fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        if self.nullable {
            if let Some(kind) = schema.get("type").cloned() {
                schema.insert("type".to_owned(), json!([kind, "null"]));
            }
            if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                words.push(Value::Null);
            }
        }
        if !self.about.is_empty() {
            schema.insert("description".to_owned(), self.about.into());
        }
        Value::Object(schema)
    }
}

/// The schema of an object with these members and no other.
pub(crate) fn record(all: &[Member]) -> Map<String, Value> {
    let properties: Map<_, _> =
        all.iter().map(|member| (member.name.to_owned(), member.schema())).collect();
    let required: Vec<_> =
        all.iter().filter(|member| member.required).map(|member| member.name).collect();
    let mut schema = members(json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    }));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

/// The members of an object that was just written down.
pub(crate) fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
