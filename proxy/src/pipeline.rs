//! The messages of a request, all sent at once.

use std::io;

use bytes::BytesMut;
use postgres_protocol::{
    IsNull,
    message::frontend::{self, BindError},
};

use crate::{
    error::Failure,
    request::{Statement, Transaction, Work},
};

/// Everything Postgres has to do for one request, up to the one `Sync`.
///
/// After an error Postgres skips all messages to the `Sync`, so the `COMMIT` of a batch runs only
/// when every statement before it has succeeded.
pub(crate) struct Pipeline {
    pub(crate) messages: BytesMut,
    /// Which of the completed statements are the client's: the others are `BEGIN` and `COMMIT`.
    pub(crate) first: usize,
    /// How many statements of the client there are.
    pub(crate) count: usize,
}

impl Pipeline {
    pub(crate) fn new(work: &Work, transaction: &Transaction) -> Result<Self, Failure> {
        let mut messages = BytesMut::new();
        let (first, count) = match work {
            Work::Single(statement) => {
                client_statement(statement, &mut messages)?;
                (0, 1)
            }
            Work::Batch(statements) => {
                own_statement(&transaction.begin(), &mut messages).map_err(invalid)?;
                for statement in statements {
                    client_statement(statement, &mut messages)?;
                }
                own_statement("COMMIT", &mut messages).map_err(invalid)?;
                (1, statements.len())
            }
        };
        frontend::sync(&mut messages);
        Ok(Self { messages, first, count })
    }
}

fn own_statement(sql: &str, out: &mut BytesMut) -> io::Result<()> {
    frontend::parse("", sql, [], out)?;
    bind(&[], out)?;
    frontend::execute("", 0, out)
}

fn client_statement(statement: &Statement, out: &mut BytesMut) -> Result<(), Failure> {
    // No types: Postgres infers them, as it does for literals.
    frontend::parse("", &statement.sql, [], out)
        .and_then(|()| bind(&statement.parameters, out))
        .and_then(|()| frontend::describe(b'P', "", out))
        .and_then(|()| frontend::execute("", 0, out))
        .map_err(invalid)
}

/// Parameters and results in text format, which no format codes mean.
fn bind(parameters: &[Option<String>], out: &mut BytesMut) -> io::Result<()> {
    let serialize = |value: &Option<String>, out: &mut BytesMut| {
        Ok(match value {
            None => IsNull::Yes,
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                IsNull::No
            }
        })
    };
    frontend::bind("", "", [], parameters, serialize, [], out).map_err(|error| match error {
        BindError::Conversion(error) => io::Error::other(error),
        BindError::Serialization(error) => error,
    })
}

/// A zero byte in the SQL text, or more parameters than the protocol can count.
#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn invalid(error: io::Error) -> Failure {
    Failure::BadRequest(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_the_protocol_cannot_carry() {
        let zero = Work::parse(br#"{"query":"select '\u0000'"}"#).unwrap();
        let many = format!(r#"{{"query":"select","params":[{}1]}}"#, "1,".repeat(65_535));
        let many = Work::parse(many.as_bytes()).unwrap();
        for work in [zero, many] {
            let pipeline = Pipeline::new(&work, &Transaction::default());
            assert!(matches!(pipeline.err(), Some(Failure::BadRequest(_))));
        }
    }

    #[test]
    fn has_one_sync() {
        let work = Work::parse(br#"{"queries":[{"query":"a"},{"query":"b"}]}"#).unwrap();
        let pipeline = Pipeline::new(&work, &Transaction::default()).unwrap();
        assert_eq!((pipeline.first, pipeline.count), (1, 2));
        let sync = [b'S', 0, 0, 0, 4];
        assert_eq!(pipeline.messages.windows(5).filter(|window| *window == sync).count(), 1);
        assert!(pipeline.messages.ends_with(&sync));
    }
}
