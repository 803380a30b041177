//! One session with Postgres: runs a request, then forgets everything about it.

use std::{io, time::Duration};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::{backend::DataRowBody, backend::Message, frontend};
use tokio::time::{Instant, timeout};

use crate::{
    error::{ErrorObject, Failure},
    metrics::{Lookup, Metrics},
    pipeline::{Pipeline, Shape},
    request::{Transaction, Work},
    response::Reply,
    startup::Session,
    statements::Statements,
    wire::Wire,
};

/// An idle session may have been cut by something between us and Postgres without a word.
pub(crate) const MAX_IDLE: Duration = Duration::from_secs(60);
/// One that was silent for so long is asked whether it is still there, before it is trusted with a
/// request: a peer that vanished says nothing either.
const PROBE_AFTER: Duration = Duration::from_secs(5);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// A bound on what a session accumulates, and on staying with a host that DNS has left.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing is under way, and nothing is left of the request before.
    Idle,
    /// A request is under way.
    Busy,
    /// The request is answered; so many answers to the reset are still to come.
    Resetting(u8),
    /// Of no more use.
    Broken,
}

/// A session that is used by one request at a time.
pub(crate) struct Connection {
    wire: Wire,
    pub(crate) cancel_key: (i32, i32),
    pub(crate) state: State,
    /// SQL has prepared statements in it.
    pub(crate) is_tainted: bool,
    statements: Statements,
    opened: Instant,
    used: Instant,
}

impl Connection {
    pub(crate) fn new(session: Session, statements: Statements) -> Self {
        let now = Instant::now();
        let Session { wire, cancel_key } = session;
        Self {
            wire,
            cancel_key,
            state: State::Idle,
            is_tainted: false,
            statements,
            opened: now,
            used: now,
        }
    }

    /// Waits for the reset after the previous request, and looks whether the server is still
    /// there. False: use another one. Only here is it certain that nothing was sent yet, so a
    /// dead session is replaced here and a request is never repeated.
    pub(crate) async fn is_fit(&mut self) -> bool {
        if self.is_old() {
            return false;
        }
        let is_sound =
            self.settle().await.is_ok() && self.state == State::Idle && self.wire.is_quiet();
        is_sound && (self.used.elapsed() < PROBE_AFTER || self.replies().await)
    }

    /// Asks for nothing but a sign of life.
    async fn replies(&mut self) -> bool {
        let mut message = BytesMut::new();
        frontend::sync(&mut message);
        self.wire.queue(message);
        let reply = timeout(PROBE_TIMEOUT, self.wire.receive()).await;
        matches!(reply, Ok(Ok(Message::ReadyForQuery(_))))
    }

    /// True when it was not used for long, or has lived for long.
    pub(crate) fn is_old(&self) -> bool {
        self.used.elapsed() > MAX_IDLE || self.opened.elapsed() > MAX_AGE
    }

    /// Takes leave, so that Postgres need not find out by itself.
    pub(crate) async fn close(mut self) {
        let mut message = BytesMut::new();
        frontend::terminate(&mut message);
        self.wire.queue(message);
        let _ = self.wire.send().await;
    }

    /// Runs a request; on success the answer is in `reply`.
    pub(crate) async fn run(
        &mut self,
        work: &Work,
        transaction: &Transaction,
        reply: &mut Reply<'_>,
        metrics: &Metrics,
    ) -> Result<(), Failure> {
        self.state = State::Busy;
        let pipeline = match Pipeline::new(work, transaction, &mut self.statements) {
            Ok(pipeline) => pipeline,
            Err(failure) => {
                self.state = State::Broken;
                return Err(failure);
            }
        };
        let (hits, all) = (pipeline.prepared, pipeline.shape.count);
        metrics.statements.add(Lookup::Hit, hits as u64);
        metrics.statements.add(Lookup::Miss, all.saturating_sub(hits) as u64);
        self.wire.queue(pipeline.messages);
        let mut answers = Answers::new(pipeline.shape);
        let read = answers.read(&mut self.wire, &mut self.statements, reply).await;
        self.statements.end();
        match read {
            Ok(()) => self.clear(answers).await,
            Err(failure) => {
                // Of a session that is gone there is nothing left to cancel.
                if matches!(failure, Failure::Lost(_) | Failure::Sql(_)) {
                    self.state = State::Broken;
                }
                Err(failure)
            }
        }
    }

    /// Leaves the session as new, and tells how the request ended.
    async fn clear(&mut self, answers: Answers) -> Result<(), Failure> {
        self.used = Instant::now();
        self.wire.shrink();
        self.is_tainted = answers.is_tainted;
        if answers.is_tainted || answers.is_gone {
            self.state = State::Broken;
        } else if answers.is_reset() {
            self.state = State::Idle;
        } else {
            self.reset(answers.status != b'I').await;
        }
        match answers.error {
            None => Ok(()),
            Some(error) if error.is_stale() && answers.has_no_effect => {
                self.state = State::Broken;
                Err(Failure::Stale(error))
            }
            Some(error) => Err(Failure::Sql(error)),
        }
    }

    /// Starts to clear roles, settings, temporary tables, locks, …, without waiting for the answer:
    /// the client need not, and the next user does in `settle`.
    async fn reset(&mut self, is_open: bool) {
        self.state = State::Broken;
        if let Ok((messages, answers)) = Pipeline::reset(is_open, &mut self.statements) {
            self.wire.queue(messages);
            if self.wire.send().await.is_ok() {
                self.state = State::Resetting(answers);
            }
        }
    }

    async fn settle(&mut self) -> io::Result<()> {
        while let State::Resetting(answers) = self.state {
            match self.wire.receive().await? {
                Message::ErrorResponse(_) => self.state = State::Broken,
                Message::DataRow(row) if is_tainted(&row)? => self.state = State::Broken,
                Message::ParseComplete => self.statements.parsed(),
                Message::ReadyForQuery(body) if answers == 1 => {
                    let idle = body.status() == b'I';
                    self.state = if idle { State::Idle } else { State::Broken };
                    self.statements.end();
                }
                Message::ReadyForQuery(_) => self.state = State::Resetting(answers - 1),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What came back for a pipeline.
struct Answers {
    shape: Shape,
    /// Statements that are completed.
    completed: usize,
    /// The first error of the client's statements or their `COMMIT`.
    error: Option<Box<ErrorObject>>,
    /// The transaction status at the end.
    status: u8,
    /// The outcome is certain, and only the reset is still to come.
    is_decided: bool,
    /// SQL has prepared statements.
    is_tainted: bool,
    /// The session ended behind the outcome.
    is_gone: bool,
    /// An error in the reset.
    is_reset_broken: bool,
    /// Given an error: certainly nothing was committed, so the request may be repeated.
    has_no_effect: bool,
}

impl Answers {
    fn new(shape: Shape) -> Self {
        Self {
            shape,
            completed: 0,
            error: None,
            status: 0,
            is_decided: false,
            is_tainted: false,
            is_gone: false,
            is_reset_broken: false,
            has_no_effect: true,
        }
    }

    fn is_reset(&self) -> bool {
        let has_reset = self.shape.all > self.shape.before_reset;
        let is_complete = self.completed == self.shape.all && !self.is_reset_broken;
        has_reset && is_complete && self.status == b'I'
    }

    /// Reads to the last `ReadyForQuery`.
    async fn read(
        &mut self,
        wire: &mut Wire,
        statements: &mut Statements,
        reply: &mut Reply<'_>,
    ) -> Result<(), Failure> {
        let mut syncs = self.shape.syncs;
        loop {
            let message = match wire.receive().await {
                Ok(message) => message,
                Err(_) if self.is_decided => {
                    self.is_gone = true;
                    return Ok(());
                }
                Err(error) => return Err(lost(error)),
            };
            match message {
                Message::ParseComplete => statements.parsed(),
                Message::RowDescription(body) => reply.describe(&body)?,
                Message::DataRow(row) if self.completed < self.shape.before_reset => {
                    reply.row(&row)?;
                }
                Message::DataRow(row) => self.is_tainted |= is_tainted(&row)?,
                Message::CommandComplete(body) => self.complete(body.tag()?, reply)?,
                Message::EmptyQueryResponse => self.complete("", reply)?,
                Message::ErrorResponse(body) => self.fail(ErrorObject::read(&body))?,
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                    return Err(Failure::Sql(Box::new(ErrorObject::new("0A000", "no COPY here"))));
                }
                Message::ReadyForQuery(body) => {
                    self.status = body.status();
                    syncs -= 1;
                    if syncs == 0 {
                        return Ok(());
                    }
                    self.completed = self.shape.before_reset;
                    self.is_decided = true;
                }
                _ => {}
            }
        }
    }

    fn complete(&mut self, tag: &str, reply: &mut Reply<'_>) -> Result<(), Failure> {
        let Shape { first, count, .. } = self.shape;
        if (first..first + count).contains(&self.completed) {
            reply.complete(tag)?;
            // A batch can end its own transaction; a single statement is one.
            self.has_no_effect &= first > 0 && is_part_of_a_transaction(tag);
        }
        self.completed += 1;
        // A single statement is committed only at its `Sync`.
        self.is_decided |= first > 0 && self.completed == self.shape.before_reset;
        Ok(())
    }

    fn fail(&mut self, error: ErrorObject) -> Result<(), Failure> {
        if self.is_decided {
            self.is_reset_broken = true;
        } else if error.is_fatal() {
            return Err(Failure::Sql(Box::new(error)));
        } else if self.error.is_none() {
            self.error = Some(Box::new(error));
        }
        Ok(())
    }
}

/// True of statements that commit nothing by themselves.
fn is_part_of_a_transaction(tag: &str) -> bool {
    let command = tag.split(' ').next().unwrap_or_default();
    matches!(
        command,
        "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "SET" | "SHOW" | "DEALLOCATE"
    )
}

/// Reads the row of the reset that tells whether SQL has prepared statements.
fn is_tainted(row: &DataRowBody) -> io::Result<bool> {
    let value = row.ranges().nth(1)?.flatten();
    Ok(value.is_none_or(|range| &row.buffer()[range] != b"f"))
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn lost(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Failure::ResponseTooLarge,
        _ => Failure::Lost(error.to_string()),
    }
}
