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
    statements::Statements,
};

/// What `DISCARD ALL` does, but for the statements that we prepared ourselves. In their stead it is
/// asked whether SQL has prepared any: nobody else's must be taken for one of ours.
const RESET: [&str; 7] = [
    "CLOSE ALL",
    "SET SESSION AUTHORIZATION DEFAULT",
    "RESET ALL",
    "UNLISTEN *",
    "SELECT pg_catalog.pg_advisory_unlock_all(), EXISTS \
     (SELECT FROM pg_catalog.pg_prepared_statement() WHERE from_sql)",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
];

/// Everything Postgres has to do for one request.
///
/// After an error Postgres skips all messages to the next `Sync`, so the `COMMIT` of a batch runs
/// only when every statement before it has succeeded. Where statements stay prepared, the reset of
/// the session follows at once: after a batch in front of the same `Sync` (its `COMMIT` is past),
/// after a single statement behind it, for that one's own transaction ends there.
pub(crate) struct Pipeline {
    pub(crate) messages: BytesMut,
    pub(crate) shape: Shape,
    /// How many statements of the client were prepared already.
    pub(crate) prepared: usize,
}

/// What the answers to a pipeline belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Which of the completed statements are the client's: the others are `BEGIN` and `COMMIT`.
    pub(crate) first: usize,
    /// How many statements of the client there are.
    pub(crate) count: usize,
    /// How many there are before the reset.
    pub(crate) before_reset: usize,
    /// How many there are with it.
    pub(crate) all: usize,
    pub(crate) syncs: u8,
}

impl Pipeline {
    pub(crate) fn new(
        work: &Work,
        transaction: &Transaction,
        statements: &mut Statements,
    ) -> Result<Self, Failure> {
        statements.begin();
        let mut out = Writer::new(statements);
        out.request(work, transaction).map_err(invalid)?;
        let (first, count, before_reset) = match work {
            Work::Single(_) => (0, 1, 1),
            Work::Batch(statements) => (1, statements.len(), statements.len() + 2),
        };
        let mut shape = Shape { first, count, before_reset, all: before_reset, syncs: 1 };
        if out.statements.is_on() {
            if matches!(work, Work::Single(_)) {
                frontend::sync(&mut out.messages);
                shape.syncs = 2;
            }
            out.reset().map_err(invalid)?;
            shape.all += RESET.len();
        }
        frontend::sync(&mut out.messages);
        Ok(Self { prepared: out.prepared, messages: out.finish(), shape })
    }

    /// Only the reset. `is_open`: a transaction is, and must be rolled back first.
    pub(crate) fn reset(is_open: bool, statements: &mut Statements) -> io::Result<(BytesMut, u8)> {
        statements.begin();
        let mut out = Writer::new(statements);
        if is_open {
            frontend::query("ROLLBACK", &mut out.messages)?;
        }
        if out.statements.is_on() {
            out.reset()?;
            frontend::sync(&mut out.messages);
        } else {
            frontend::query("DISCARD ALL", &mut out.messages)?;
        }
        Ok((out.finish(), 1 + u8::from(is_open)))
    }
}

struct Writer<'a> {
    statements: &'a mut Statements,
    /// Comes first: no error may keep Postgres from closing what we no longer know.
    closed: BytesMut,
    messages: BytesMut,
    prepared: usize,
}

impl<'a> Writer<'a> {
    fn new(statements: &'a mut Statements) -> Self {
        Self { statements, closed: BytesMut::new(), messages: BytesMut::new(), prepared: 0 }
    }

    fn request(&mut self, work: &Work, transaction: &Transaction) -> io::Result<()> {
        match work {
            Work::Single(statement) => self.client_statement(statement),
            Work::Batch(statements) => {
                self.own_statement(&transaction.begin())?;
                for statement in statements {
                    self.client_statement(statement)?;
                }
                self.own_statement("COMMIT")
            }
        }
    }

    fn reset(&mut self) -> io::Result<()> {
        RESET.iter().try_for_each(|sql| self.own_statement(sql))
    }

    fn own_statement(&mut self, sql: &str) -> io::Result<()> {
        let (name, _) = self.parse(sql)?;
        bind(&name, &[], &mut self.messages)?;
        frontend::execute("", 0, &mut self.messages)
    }

    fn client_statement(&mut self, statement: &Statement) -> io::Result<()> {
        let (name, is_prepared) = self.parse(&statement.sql)?;
        self.prepared += usize::from(is_prepared);
        bind(&name, &statement.parameters, &mut self.messages)?;
        frontend::describe(b'P', "", &mut self.messages)?;
        frontend::execute("", 0, &mut self.messages)
    }

    /// The statement's name, and whether it was known already. No types: Postgres infers them, as it
    /// does for literals.
    fn parse(&mut self, sql: &str) -> io::Result<(Box<str>, bool)> {
        let choice = self.statements.choose(sql);
        if let Some(name) = choice.evicted {
            frontend::close(b'S', &name, &mut self.closed)?;
        }
        if choice.is_new {
            frontend::parse(&choice.name, sql, [], &mut self.messages)?;
        }
        Ok((choice.name, !choice.is_new))
    }

    fn finish(self) -> BytesMut {
        let Self { mut closed, messages, .. } = self;
        if closed.is_empty() {
            return messages;
        }
        closed.extend_from_slice(&messages);
        closed
    }
}

/// Parameters and results in text format, which no format codes mean.
fn bind(name: &str, parameters: &[Option<String>], out: &mut BytesMut) -> io::Result<()> {
    let serialize = |value: &Option<String>, out: &mut BytesMut| {
        Ok(match value {
            None => IsNull::Yes,
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                IsNull::No
            }
        })
    };
    frontend::bind("", name, [], parameters, serialize, [], out).map_err(|error| match error {
        BindError::Conversion(error) => io::Error::other(error),
        BindError::Serialization(error) => error,
    })
}

/// What the protocol cannot carry.
#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn invalid(error: io::Error) -> Failure {
    Failure::BadRequest(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: [u8; 5] = [b'S', 0, 0, 0, 4];

    fn pipeline(body: &str, statements: &mut Statements) -> Pipeline {
        let work = Work::parse(body.as_bytes()).unwrap();
        Pipeline::new(&work, &Transaction::default(), statements).unwrap()
    }

    fn count(messages: &[u8], part: &[u8]) -> usize {
        messages.windows(part.len()).filter(|window| *window == part).count()
    }

    #[test]
    fn without_prepared_statements_there_is_one_sync_and_no_reset() {
        let batch = r#"{"queries":[{"query":"a"},{"query":"b"}]}"#;
        let pipeline = pipeline(batch, &mut Statements::new(0));
        assert_eq!(pipeline.shape, Shape { first: 1, count: 2, before_reset: 4, all: 4, syncs: 1 });
        assert_eq!(count(&pipeline.messages, &SYNC), 1);
        assert!(pipeline.messages.ends_with(&SYNC));
        assert_eq!(count(&pipeline.messages, b"RESET ALL"), 0);
    }

    #[test]
    fn the_reset_of_a_single_statement_is_behind_its_transaction() {
        let single = pipeline(r#"{"query":"select"}"#, &mut Statements::new(50));
        assert_eq!(single.shape, Shape { first: 0, count: 1, before_reset: 1, all: 8, syncs: 2 });
        let sync = single.messages.windows(5).position(|window| window == SYNC).unwrap();
        assert_eq!(count(&single.messages[..sync], b"RESET ALL"), 0);
        assert_eq!(count(&single.messages[sync..], b"RESET ALL"), 1);
        let batch = pipeline(r#"{"queries":[{"query":"select"}]}"#, &mut Statements::new(50));
        assert_eq!((batch.shape.syncs, batch.shape.all), (1, 10));
        assert_eq!(count(&batch.messages, b"RESET ALL"), 1);
    }

    #[test]
    fn texts_are_sent_once_and_evicted_names_are_closed_first() {
        let mut statements = Statements::new(10);
        let body = r#"{"query":"select 4711"}"#;
        for expected in [1, 0] {
            let pipeline = pipeline(body, &mut statements);
            (0..20).for_each(|_| statements.parsed());
            statements.end();
            assert_eq!(count(&pipeline.messages, b"select 4711"), expected);
            assert_eq!(count(&pipeline.messages, b"RESET ALL"), expected);
        }
        for number in 0..3 {
            let body = format!(r#"{{"query":"select {number}"}}"#);
            let pipeline = pipeline(&body, &mut statements);
            (0..20).for_each(|_| statements.parsed());
            statements.end();
            assert_eq!(pipeline.messages.starts_with(b"C"), number == 2, "{number}");
        }
    }
}
