//! JSON from strangers, taken into memory within a budget.
//!
//! A value in memory can be ninety times as large as its text: an object of one member is 7 bytes
//! of text and some 640 of memory. Texts stay where they are (`RawValue`) until somebody wants a
//! part of them, and what is taken then pays for the memory that its structure needs. So the memory
//! that a message can cost is a small multiple of its size plus the budget, whatever it says.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

/// What the structure of one part of a message may cost, in bytes of memory. Characters are not
/// counted: there are no more than the message has.
pub(crate) const BUDGET: usize = 2 << 20;
/// A value, with the room that a growing array keeps.
const VALUE: usize = 96;
/// The first node of an object; it has room for eleven members.
const OBJECT: usize = 704;
/// How deep values may be inside each other.
const DEPTH: usize = 32;

/// Why a value is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// The value of a text that is known to be JSON.
pub(crate) fn value(raw: &RawValue) -> Result<Value, TooLarge> {
    let left = Cell::new(BUDGET);
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    Node { left: &left, depth: DEPTH }.deserialize(&mut deserializer).map_err(|_| TooLarge)
}

/// The members of an object; `None` if it is another thing.
pub(crate) fn object(raw: &RawValue) -> Result<Option<Map<String, Value>>, TooLarge> {
    if !raw.get().starts_with('{') {
        return Ok(None);
    }
    Ok(match value(raw)? {
        Value::Object(members) => Some(members),
        _ => None,
    })
}

#[derive(Clone, Copy)]
struct Node<'b> {
    left: &'b Cell<usize>,
    depth: usize,
}

impl Node<'_> {
    fn pay<E: Error>(self, cost: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(cost).ok_or_else(|| E::custom("too large"))?;
        self.left.set(left);
        Ok(())
    }

    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        self.pay(VALUE)?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        self.pay(OBJECT)?;
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            // Whoever reads the message after us could take the other one.
            if all.contains_key(&name) {
                return Err(A::Error::custom("given twice"));
            }
            all.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, TooLarge> {
        value(serde_json::from_str(text).expect("JSON"))
    }

    #[test]
    fn what_is_within_the_budget_is_read_as_it_is() {
        let text = r#"{"a":[1,-2,3.5,true,null,"é\u0000"],"b":{"c":{}}}"#;
        assert_eq!(read(text), Ok(serde_json::from_str(text).expect("JSON")));
        let long = "x".repeat(4 << 20);
        assert_eq!(read(&format!("\"{long}\"")), Ok(Value::String(long)));
    }

    #[test]
    fn what_would_take_much_memory_is_not_taken() {
        for (open, item, close) in [("[", "0,", "0]"), ("[", "{\"\":0},", "0]"), ("[", "[],", "0]")]
        {
            let text = format!("{open}{}{close}", item.repeat(100_000));
            assert_eq!(read(&text), Err(TooLarge), "{item}");
        }
        let deep = format!("{}{}", "[".repeat(DEPTH + 1), "]".repeat(DEPTH + 1));
        assert_eq!(read(&deep), Err(TooLarge));
        assert!(read(&deep[1..=DEPTH * 2]).is_ok());
        assert_eq!(read(r#"{"a":1,"a":2}"#), Err(TooLarge));
    }
}
