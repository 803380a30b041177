//! One session with Postgres: runs a request, then forgets everything about it.

use std::{io, time::Duration};

use postgres_protocol::message::backend::Message;
use tokio::time::Instant;

use crate::{
    error::{ErrorObject, Failure},
    pipeline::Pipeline,
    response::Reply,
    startup::Session,
    wire::Wire,
};

/// An idle session may have been cut by something between us and Postgres without a word.
const MAX_IDLE: Duration = Duration::from_secs(60);
/// A bound on what a session accumulates, and on staying with a host that DNS has left.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing is under way.
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
    opened: Instant,
    used: Instant,
}

impl Connection {
    pub(crate) fn new(session: Session) -> Self {
        let now = Instant::now();
        let Session { wire, cancel_key } = session;
        Self { wire, cancel_key, state: State::Idle, opened: now, used: now }
    }

    /// Waits for the reset after the previous request, and looks whether the server is still
    /// there. False: use another one. Only here is it certain that nothing was sent yet, so a
    /// dead session is replaced here and a request is never repeated.
    pub(crate) async fn is_fit(&mut self) -> bool {
        if self.used.elapsed() > MAX_IDLE || self.opened.elapsed() > MAX_AGE {
            return false;
        }
        self.settle().await.is_ok() && self.state == State::Idle && self.wire.is_quiet()
    }

    /// Runs a request; on success the answer is in `reply`.
    pub(crate) async fn run(
        &mut self,
        pipeline: &Pipeline,
        reply: &mut Reply<'_>,
    ) -> Result<(), Failure> {
        self.state = State::Busy;
        self.wire.queue(&pipeline.messages);
        match self.read_answers(pipeline, reply).await {
            Ok((status, outcome)) => {
                self.reset(status).await;
                outcome
            }
            Err(failure) => {
                // Of a session that is gone there is nothing left to cancel.
                if matches!(failure, Failure::Lost(_) | Failure::Sql(_)) {
                    self.state = State::Broken;
                }
                Err(failure)
            }
        }
    }

    /// Reads to `ReadyForQuery`: the transaction status, and the first error if there was one.
    async fn read_answers(
        &mut self,
        pipeline: &Pipeline,
        reply: &mut Reply<'_>,
    ) -> Result<(u8, Result<(), Failure>), Failure> {
        let clients = pipeline.first..pipeline.first + pipeline.count;
        let mut completed = 0;
        let mut outcome = Ok(());
        loop {
            let tag = match self.wire.receive().await.map_err(lost)? {
                Message::RowDescription(body) => {
                    reply.describe(&body)?;
                    continue;
                }
                Message::DataRow(body) => {
                    reply.row(&body)?;
                    continue;
                }
                Message::ErrorResponse(body) => {
                    let error = Box::new(ErrorObject::read(&body));
                    if error.is_fatal() {
                        return Err(Failure::Sql(error));
                    }
                    outcome = outcome.and(Err(Failure::Sql(error)));
                    continue;
                }
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                    return Err(Failure::Sql(Box::new(ErrorObject::new("0A000", "no COPY here"))));
                }
                Message::ReadyForQuery(body) => return Ok((body.status(), outcome)),
                Message::CommandComplete(body) => Some(body),
                Message::EmptyQueryResponse => None,
                _ => continue,
            };
            if clients.contains(&completed) {
                reply.complete(tag.as_ref().map_or(Ok(""), |body| body.tag())?)?;
            }
            completed += 1;
        }
    }

    /// Starts to clear roles, settings, prepared statements, temporary tables, locks, …, without
    /// waiting for the answer: the client need not, and the next user does in `settle`.
    async fn reset(&mut self, status: u8) {
        let mut answers = 1;
        let mut queued = Ok(());
        if status != b'I' {
            answers = 2;
            queued = self.wire.queue_query("ROLLBACK");
        }
        queued = queued.and_then(|()| self.wire.queue_query("DISCARD ALL"));
        let sent = match queued {
            Ok(()) => self.wire.send().await,
            error => error,
        };
        self.used = Instant::now();
        self.state = if sent.is_ok() { State::Resetting(answers) } else { State::Broken };
    }

    async fn settle(&mut self) -> io::Result<()> {
        while let State::Resetting(answers) = self.state {
            match self.wire.receive().await? {
                Message::ErrorResponse(_) => self.state = State::Broken,
                Message::ReadyForQuery(body) if answers == 1 => {
                    let idle = body.status() == b'I';
                    self.state = if idle { State::Idle } else { State::Broken };
                }
                Message::ReadyForQuery(_) => self.state = State::Resetting(answers - 1),
                _ => {}
            }
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn lost(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Failure::ResponseTooLarge,
        _ => Failure::Lost(error.to_string()),
    }
}
