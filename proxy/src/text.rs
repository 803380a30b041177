//! Values between JSON and Postgres' text format.

use serde_json::value::RawValue;

/// Postgres has at most 6 array dimensions; deeper nesting is refused before it costs anything.
const MAX_DIMENSIONS: usize = 6;

/// A text that is not what its type says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A JSON parameter in Postgres' text format: `null` is NULL, a string is itself, an array is an
/// array literal, everything else is its JSON text, digit for digit as the client wrote it.
pub(crate) fn parameter(value: &RawValue) -> Result<Option<String>, Malformed> {
    let text = value.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => Some(json_string(text)?),
        Some(b'[') => {
            let mut literal = String::with_capacity(text.len());
            array_literal(text, &mut literal, 1)?;
            Some(literal)
        }
        _ => Some(text.to_owned()),
    })
}

/// Appends a value of type `type_oid` as JSON: booleans, small integers, floats, JSON and arrays
/// by their nature; all others (int8, numeric, times, ...) as strings, because JSON numbers would
/// lose digits.
pub(crate) fn write_json(out: &mut Vec<u8>, type_oid: u32, text: &str) -> Result<(), Malformed> {
    match element_type(type_oid) {
        Some(element) => ArrayText { rest: text, element }.write(out),
        None => write_scalar(out, type_oid, text),
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) -> Result<(), Malformed> {
    serde_json::to_writer(out, text).map_err(|_| Malformed("not a string"))
}

fn json_string(text: &str) -> Result<String, Malformed> {
    serde_json::from_str(text).map_err(|_| Malformed("not a JSON string"))
}

fn array_literal(text: &str, out: &mut String, depth: usize) -> Result<(), Malformed> {
    if depth > MAX_DIMENSIONS {
        return Err(Malformed("an array parameter has more than 6 dimensions"));
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|_| Malformed("not a JSON array"))?;
    out.push('{');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let item = item.get();
        match item.as_bytes().first() {
            Some(b'n') => out.push_str("NULL"),
            Some(b'[') => array_literal(item, out, depth + 1)?,
            Some(b'"') => quote(&json_string(item)?, out),
            Some(b'{') => quote(item, out),
            _ => out.push_str(item),
        }
    }
    out.push('}');
    Ok(())
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

fn write_scalar(out: &mut Vec<u8>, type_oid: u32, text: &str) -> Result<(), Malformed> {
    match type_oid {
        oid::BOOL => out.extend_from_slice(if text == "t" { b"true" } else { b"false" }),
        oid::INT2 | oid::INT4 => out.extend_from_slice(text.as_bytes()),
        // NaN and the infinities have no JSON number.
        oid::FLOAT4 | oid::FLOAT8 if text.trim_start_matches('-').starts_with(is_digit) => {
            out.extend_from_slice(text.as_bytes());
        }
        // Postgres has checked that it is JSON.
        oid::JSON | oid::JSONB => out.extend_from_slice(text.as_bytes()),
        _ => return write_string(out, text),
    }
    Ok(())
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

/// Reads an array's text, `[1:2]={"a",NULL,{b}}`.
struct ArrayText<'a> {
    rest: &'a str,
    element: u32,
}

impl ArrayText<'_> {
    fn write(mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        // Bounds other than 1 come first; JSON arrays have none.
        if self.rest.starts_with('[') {
            let (_, rest) = self.rest.split_once('=').ok_or(Malformed("array bounds"))?;
            self.rest = rest;
        }
        self.array(out, 1)?;
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed("text after an array")) }
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DIMENSIONS || !self.take('{') {
            return Err(Malformed("array text"));
        }
        out.push(b'[');
        if !self.take('}') {
            loop {
                self.item(out, depth)?;
                if self.take('}') {
                    break;
                }
                if !self.take(',') {
                    return Err(Malformed("array text"));
                }
                out.push(b',');
            }
        }
        out.push(b']');
        Ok(())
    }

    fn item(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Malformed> {
        if self.rest.starts_with('{') {
            return self.array(out, depth + 1);
        }
        if self.take('"') {
            let text = self.quoted()?;
            return write_scalar(out, self.element, &text);
        }
        let end = self.rest.find([',', '}']).ok_or(Malformed("array text"))?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        if text == "NULL" {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        write_scalar(out, self.element, text)
    }

    /// The rest of a quoted item, its opening quote already taken.
    fn quoted(&mut self) -> Result<String, Malformed> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => text.push(character),
            }
        }
        Err(Malformed("unterminated array item"))
    }

    fn take(&mut self, expected: char) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// Types by their fixed numbers in `pg_type.dat`.
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const JSON: u32 = 114;
    pub(super) const FLOAT4: u32 = 700;
    pub(super) const FLOAT8: u32 = 701;
    pub(super) const JSONB: u32 = 3802;
    /// Stands for every element type that is a JSON string.
    pub(super) const TEXT: u32 = 25;
}

/// The element type of a built-in array type whose delimiter is a comma (`box` has a semicolon).
fn element_type(type_oid: u32) -> Option<u32> {
    Some(match type_oid {
        1000 => oid::BOOL,
        1005 => oid::INT2,
        1007 => oid::INT4,
        199 => oid::JSON,
        1021 => oid::FLOAT4,
        1022 => oid::FLOAT8,
        3807 => oid::JSONB,
        143
        | 271
        | 629
        | 651
        | 719
        | 775
        | 791
        | 1001..=1003
        | 1006
        | 1008..=1019
        | 1027
        | 1028
        | 1034
        | 1040
        | 1041
        | 1115
        | 1182
        | 1183
        | 1185
        | 1187
        | 1231
        | 1270
        | 1561
        | 1563
        | 2201
        | 2207..=2211
        | 2949
        | 2951
        | 3221
        | 3643..=3645
        | 3735
        | 3770
        | 3905
        | 3907
        | 3909
        | 3911
        | 3913
        | 3927
        | 4073
        | 4090
        | 4097
        | 4192
        | 5039
        | 6150..=6153
        | 6155
        | 6157 => oid::TEXT,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(json: &str) -> Option<String> {
        parameter(serde_json::from_str(json).unwrap()).unwrap()
    }

    fn json(type_oid: u32, text: &str) -> String {
        let mut out = Vec::new();
        write_json(&mut out, type_oid, text).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parameters() {
        assert_eq!(param("null"), None);
        assert_eq!(param(r#""a\n\u00e9\"""#).unwrap(), "a\né\"");
        assert_eq!(param("12345678901234567890123.50").unwrap(), "12345678901234567890123.50");
        assert_eq!(param("true").unwrap(), "true");
        assert_eq!(param(r#"{"a": [1]}"#).unwrap(), r#"{"a": [1]}"#);
    }

    #[test]
    fn array_parameters() {
        assert_eq!(param("[]").unwrap(), "{}");
        assert_eq!(param("[1, null, true]").unwrap(), "{1,NULL,true}");
        assert_eq!(param("[[1,2],[3,4]]").unwrap(), "{{1,2},{3,4}}");
        assert_eq!(
            param(r#"["a,b", "q\"\\", "null", "", "line\nbreak"]"#).unwrap(),
            "{\"a,b\",\"q\\\"\\\\\",\"null\",\"\",\"line\nbreak\"}"
        );
        assert_eq!(param(r#"[{"a":"b\"c"}]"#).unwrap(), r#"{"{\"a\":\"b\\\"c\"}"}"#);
        // Nesting is refused by its depth, before it can cost a deep stack.
        for depth in [7, 100] {
            let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            assert!(parameter(serde_json::from_str(&deep).unwrap()).is_err());
        }
    }

    #[test]
    fn scalars() {
        assert_eq!(json(16, "t"), "true");
        assert_eq!(json(16, "f"), "false");
        assert_eq!(json(23, "-7"), "-7");
        assert_eq!(json(701, "1e+20"), "1e+20");
        assert_eq!(json(701, "-0.5"), "-0.5");
        assert_eq!(json(701, "NaN"), r#""NaN""#);
        assert_eq!(json(700, "-Infinity"), r#""-Infinity""#);
        assert_eq!(json(20, "9007199254740993"), r#""9007199254740993""#);
        assert_eq!(json(1700, "1.10"), r#""1.10""#);
        assert_eq!(json(3802, r#"{"a": 1}"#), r#"{"a": 1}"#);
        assert_eq!(json(25, "a\"\u{1}"), r#""a\"\u0001""#);
        assert_eq!(json(99_999, "{x}"), r#""{x}""#);
    }

    #[test]
    fn arrays() {
        assert_eq!(json(1007, "{}"), "[]");
        assert_eq!(json(1007, "{1,NULL,3}"), "[1,null,3]");
        assert_eq!(json(1007, "[0:1]={1,2}"), "[1,2]");
        assert_eq!(json(1007, "{{1,2},{3,4}}"), "[[1,2],[3,4]]");
        assert_eq!(
            json(1009, r#"{a,"NULL",NULL,"x,y","q\"\\","é{}"}"#),
            r#"["a","NULL",null,"x,y","q\"\\","é{}"]"#
        );
        assert_eq!(json(3807, r#"{"{\"a\": 1}",2}"#), r#"[{"a": 1},2]"#);
        assert_eq!(json(1016, "{5}"), r#"["5"]"#);
    }

    #[test]
    fn malformed_arrays_are_refused() {
        for text in ["", "{", "{1", "{1,", "1}", "{1}x", "[0:1", r#"{"a"#, r#"{"a"b}"#] {
            assert!(write_json(&mut Vec::new(), 1007, text).is_err(), "{text}");
        }
    }
}
