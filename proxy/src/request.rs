//! What a client asks for: the body and the headers of `POST /sql`.

use std::{fmt, marker::PhantomData};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{error::Failure, text};

const ISOLATION_LEVEL: HeaderName = HeaderName::from_static("neon-batch-isolation-level");
const READ_ONLY: HeaderName = HeaderName::from_static("neon-batch-read-only");
const DEFERRABLE: HeaderName = HeaderName::from_static("neon-batch-deferrable");

/// What the protocol of Postgres can count.
const MAX_PARAMETERS: usize = 65_535;
/// Each statement costs memory beyond its text.
const MAX_STATEMENTS: usize = 10_000;

/// One statement with its parameters in text format.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Option<String>>,
    /// Rows as arrays (`None`: as the header says).
    pub(crate) array_mode: Option<bool>,
}

/// The statements of a request.
#[derive(Debug)]
pub(crate) enum Work {
    Single(Statement),
    /// One transaction.
    Batch(Vec<Statement>),
}

impl Work {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| Failure::BadRequest(format!("body: {error}")))?;
        match (body.query, body.queries) {
            (Some(query), None) => {
                let raw = RawStatement { query, params: body.params, array_mode: body.array_mode };
                Ok(Self::Single(raw.convert(|| "query".to_owned())?))
            }
            (None, Some(queries)) => {
                let all = queries.all();
                let all = all.map_err(|TooMany| Failure::TooMany("more than 10000 statements"))?;
                let numbered = all.into_iter().enumerate();
                let convert = |(number, raw): (usize, RawStatement)| {
                    raw.convert(|| format!("queries[{number}].query"))
                };
                Ok(Self::Batch(numbered.map(convert).collect::<Result<_, _>>()?))
            }
            _ => Err(Failure::BadRequest("body: either `query` or `queries` is needed".to_owned())),
        }
    }
}

/// How results are to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Every value as Postgres' text.
    pub(crate) raw_text: bool,
    /// Rows as arrays, where the statement does not say otherwise.
    pub(crate) array_mode: bool,
}

impl Format {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        Self {
            raw_text: is_true(headers, &HeaderName::from_static("neon-raw-text-output")),
            array_mode: is_true(headers, &HeaderName::from_static("neon-array-mode")),
        }
    }
}

/// What kind of transaction a batch wants.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    isolation: Option<(HeaderValue, &'static str)>,
    read_only: bool,
    deferrable: bool,
}

impl Transaction {
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let isolation = match headers.get(&ISOLATION_LEVEL) {
            None => None,
            Some(value) => Some((value.clone(), isolation_level(value)?)),
        };
        Ok(Self {
            isolation,
            read_only: is_true(headers, &READ_ONLY),
            deferrable: is_true(headers, &DEFERRABLE),
        })
    }

    /// The statement that opens it.
    pub(crate) fn begin(&self) -> String {
        let mut sql = "BEGIN".to_owned();
        if let Some((_, level)) = &self.isolation {
            sql.push_str(" ISOLATION LEVEL ");
            sql.push_str(level);
        }
        if self.read_only {
            sql.push_str(" READ ONLY");
        }
        if self.deferrable {
            sql.push_str(" DEFERRABLE");
        }
        sql
    }

    /// Tells the client which wishes were granted.
    pub(crate) fn echo(self, headers: &mut HeaderMap) {
        if let Some((value, _)) = self.isolation {
            headers.insert(ISOLATION_LEVEL, value);
        }
        if self.read_only {
            headers.insert(READ_ONLY, HeaderValue::from_static("true"));
        }
        if self.deferrable {
            headers.insert(DEFERRABLE, HeaderValue::from_static("true"));
        }
    }
}

#[derive(Deserialize)]
struct Body {
    query: Option<String>,
    params: Option<Bounded<Parameter, MAX_PARAMETERS>>,
    #[serde(rename = "arrayMode")]
    array_mode: Option<bool>,
    queries: Option<Bounded<RawStatement, MAX_STATEMENTS>>,
}

#[derive(Deserialize)]
struct RawStatement {
    query: String,
    params: Option<Bounded<Parameter, MAX_PARAMETERS>>,
    #[serde(rename = "arrayMode")]
    array_mode: Option<bool>,
}

impl RawStatement {
    fn convert(self, field: impl FnOnce() -> String) -> Result<Statement, Failure> {
        if self.query.contains('\0') {
            return Err(Failure::ZeroByte(field()));
        }
        let params = self.params.map_or_else(|| Ok(Vec::new()), Bounded::all);
        let params = params.map_err(|TooMany| Failure::TooMany("more than 65535 parameters"))?;
        Ok(Statement {
            sql: self.query,
            parameters: params.into_iter().map(|Parameter(text)| text).collect(),
            array_mode: self.array_mode,
        })
    }
}

/// A parameter in Postgres' text format.
struct Parameter(Option<String>);

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = <&RawValue>::deserialize(deserializer)?;
        text::parameter(value).map(Self).map_err(D::Error::custom)
    }
}

/// An array that is kept up to `MAX` items: what is longer costs no memory.
struct Bounded<T, const MAX: usize> {
    items: Vec<T>,
    is_cut: bool,
}

struct TooMany;

impl<T, const MAX: usize> Bounded<T, MAX> {
    fn all(self) -> Result<Vec<T>, TooMany> {
        if self.is_cut { Err(TooMany) } else { Ok(self.items) }
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items(PhantomData))
    }
}

struct Items<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Items<T, MAX> {
    type Value = Bounded<T, MAX>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < MAX {
            match sequence.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(Bounded { items, is_cut: false }),
            }
        }
        let mut is_cut = false;
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            is_cut = true;
        }
        Ok(Bounded { items, is_cut })
    }
}

fn is_true(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get(name).is_some_and(|value| value == "true")
}

fn isolation_level(value: &HeaderValue) -> Result<&'static str, Failure> {
    Ok(match value.as_bytes() {
        b"ReadUncommitted" => "READ UNCOMMITTED",
        b"ReadCommitted" => "READ COMMITTED",
        b"RepeatableRead" => "REPEATABLE READ",
        b"Serializable" => "SERIALIZABLE",
        _ => return Err(Failure::BadRequest(format!("{ISOLATION_LEVEL}: unknown level"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_single_and_batch() {
        let Work::Single(statement) =
            Work::parse(br#"{"query":"select $1","params":[null, 1],"arrayMode":true}"#).unwrap()
        else {
            panic!("not single")
        };
        assert_eq!(statement.sql, "select $1");
        assert_eq!(statement.parameters, [None, Some("1".to_owned())]);
        assert_eq!(statement.array_mode, Some(true));
        let Work::Batch(statements) =
            Work::parse(br#"{"queries":[{"query":"a"},{"query":"b","params":["x"]}]}"#).unwrap()
        else {
            panic!("not a batch")
        };
        assert_eq!(statements.len(), 2);
        assert_eq!(statements[1].parameters, [Some("x".to_owned())]);
    }

    #[test]
    fn refuses_other_bodies() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"query":1}"#,
            r#"{"query":"a","queries":[]}"#,
            r#"{"queries":[{}]}"#,
            r#"{"query":"a","params":{}}"#,
            r#"{"query":"a","params":[[[[[[[[1]]]]]]]]}"#,
        ] {
            assert!(matches!(Work::parse(body.as_bytes()), Err(Failure::BadRequest(_))), "{body}");
        }
    }

    #[test]
    fn counts_what_it_keeps() {
        let many =
            |items: usize| format!(r#"{{"query":"","params":[{}1]}}"#, "1,".repeat(items - 1));
        assert!(Work::parse(many(65_535).as_bytes()).is_ok());
        assert!(matches!(Work::parse(many(65_536).as_bytes()), Err(Failure::TooMany(_))));
        let many = |items: usize| {
            let statement = r#"{"query":""},"#.repeat(items);
            format!(r#"{{"queries":[{}]}}"#, statement.trim_end_matches(','))
        };
        assert!(Work::parse(many(10_000).as_bytes()).is_ok());
        assert!(matches!(Work::parse(many(10_001).as_bytes()), Err(Failure::TooMany(_))));
    }

    #[test]
    fn a_zero_byte_in_sql_is_refused_with_its_field() {
        let body = br#"{"queries":[{"query":"a"},{"query":"select '\u0000'"}]}"#;
        let failure = Work::parse(body).unwrap_err();
        assert_eq!(failure.to_string(), "queries[1].query has a zero byte");
        assert_eq!(
            (failure.status().as_u16(), failure.object().code.as_deref()),
            (400, Some("22021"))
        );
    }

    #[test]
    fn transaction_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(Transaction::read(&headers).unwrap().begin(), "BEGIN");
        headers.insert(ISOLATION_LEVEL, HeaderValue::from_static("Serializable"));
        headers.insert(READ_ONLY, HeaderValue::from_static("true"));
        headers.insert(DEFERRABLE, HeaderValue::from_static("false"));
        let transaction = Transaction::read(&headers).unwrap();
        assert_eq!(transaction.begin(), "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY");
        let mut echoed = HeaderMap::new();
        transaction.echo(&mut echoed);
        assert_eq!(echoed.len(), 2);
        headers.insert(ISOLATION_LEVEL, HeaderValue::from_static("serializable; drop"));
        assert!(Transaction::read(&headers).is_err());
    }
}
