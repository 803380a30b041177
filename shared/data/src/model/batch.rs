//! One use case, one transaction, one round trip.

use ports::{Rows, Sql, SqlError, Statement};

use super::error::explain;
use super::idempotency::{Once, once};
use super::record::Record;
use super::{Attempt, Error, Read, Write, Written};
use crate::session::{Caller, as_user};

/// From here on a trial is undone; what the statements have answered is kept.
const TRIAL: &str = "savepoint trial";
/// What would be judged at the end is judged now.
const JUDGE: &str = "set constraints all immediate";
const UNDO: &str = "rollback to savepoint trial";
const LOCK: &str = "select pg_advisory_xact_lock($1::bigint)";

/// The caller's organization.
pub(crate) fn organization(caller: &Caller) -> Result<String, Error> {
    let id = caller.organization.as_deref().ok_or(Error::NoOrganization)?;
    // What is not one of our keys names no organization.
    super::check::uuid(id, "organization").map_err(|_| Error::NoOrganization)
}

pub(crate) fn statement<'a>(text: &'a str, parameters: Vec<Option<String>>) -> Statement<'a> {
    Statement { text, parameters }
}

/// Read with one statement.
pub(crate) async fn read(
    sql: &impl Sql,
    caller: &Caller,
    one: Statement<'_>,
) -> Result<Rows, Error> {
    let results =
        as_user(sql, caller, vec![one]).await.map_err(|error| explain(error, "viewer"))?;
    results.into_iter().next().ok_or_else(|| Error::internal("no result"))
}

/// Write what takes the role `needs`, or try it.
pub(crate) async fn write(
    sql: &impl Sql,
    caller: &Caller,
    dry_run: bool,
    needs: &'static str,
    mut statements: Vec<Statement<'_>>,
) -> Result<Vec<Rows>, Error> {
    if dry_run {
        statements.insert(0, statement(TRIAL, Vec::new()));
        statements.push(statement(JUDGE, Vec::new()));
        statements.push(statement(UNDO, Vec::new()));
    }
    let mut results =
        as_user(sql, caller, statements).await.map_err(|error| explain(error, needs))?;
    if dry_run {
        results.remove(0);
        results.truncate(results.len().saturating_sub(2));
    }
    Ok(results)
}

/// Something to be created.
pub(crate) struct Creation<'a> {
    /// What it is, for the idempotency key.
    pub(crate) what: &'static str,
    /// Its key.
    pub(crate) id: String,
    /// Returns the record, or nothing if there is one with the same mark or what it is to be in is
    /// absent. `$1` is the key, the last two are the mark and since when.
    pub(crate) insert: &'a str,
    /// All but the first and the last two.
    pub(crate) parameters: Vec<Option<String>>,
    /// Returns the record with the same mark; the last two parameters are the mark and since when.
    pub(crate) replay: &'a str,
    /// All but the last two.
    pub(crate) replay_parameters: Vec<Option<String>>,
    /// The role that it takes.
    pub(crate) needs: &'static str,
    /// The field that names what it is to be in.
    pub(crate) missing: &'static str,
    /// What is created with it: `$1` is its key. They return nothing that is read.
    pub(crate) within: Vec<(&'a str, Vec<Option<String>>)>,
    /// Reads the record by its key once all is there; empty if the insert returns it.
    pub(crate) reread: &'a str,
    /// Tells why nothing was created, where it is not only that `missing` names nothing.
    pub(crate) obstacle: Option<Obstacle<'a>>,
}

/// What stood in the way of a creation.
pub(crate) struct Obstacle<'a> {
    /// Returns a row if there is what `missing` names.
    pub(crate) text: &'a str,
    /// Of the text.
    pub(crate) parameters: Vec<Option<String>>,
    /// What the row means.
    pub(crate) verdict: fn(&[Option<String>]) -> Error,
}

/// Create it once.
pub(crate) async fn create(
    sql: &impl Sql,
    caller: &Caller,
    attempt: &Attempt,
    creation: Creation<'_>,
) -> Write<Record> {
    let asked = attempt.idempotency.as_ref();
    let org = organization(caller)?;
    let owner = [org.as_str(), &caller.subject, creation.what];
    let once = asked.map(|asked| once(&creation.id, &owner, asked)).transpose()?;
    let statements = statements(&creation, once.as_ref());
    let mut results = write(sql, caller, attempt.dry_run, creation.needs, statements).await?;
    if once.is_some() {
        results.remove(0);
    }
    let replayed = once.as_ref().map(|_| results.pop().unwrap_or_default()).unwrap_or_default();
    let obstacle = creation.obstacle.as_ref().map(|_| results.pop().unwrap_or_default());
    let reread = (!creation.reread.is_empty()).then(|| results.pop().unwrap_or_default());
    let inserted = results.into_iter().next().unwrap_or_default();
    if let Some(row) = inserted.rows.into_iter().next() {
        let row = reread.and_then(|rows| rows.rows.into_iter().next()).unwrap_or(row);
        return Ok(Written { value: Record::of(row)?, replayed: false });
    }
    match (once, replayed.rows.into_iter().next()) {
        (Some(once), Some(row)) => replay(&once, row),
        _ => match (creation.obstacle, obstacle.as_ref().and_then(|rows| rows.rows.first())) {
            (Some(obstacle), Some(row)) => Err((obstacle.verdict)(row)),
            _ => Err(Error::NotFound { field: creation.missing }),
        },
    }
}

fn statements<'a>(creation: &Creation<'a>, once: Option<&Once>) -> Vec<Statement<'a>> {
    let id = once.map_or(&creation.id, |once| &once.id);
    let marks = [once.map(|once| once.mark.clone()), once.map(|once| once.since.clone())];
    let mut all = Vec::new();
    if let Some(once) = once {
        all.push(statement(LOCK, vec![Some(once.lock.to_string())]));
    }
    let parameters =
        [Some(id.clone())].into_iter().chain(creation.parameters.clone()).chain(marks.clone());
    all.push(statement(creation.insert, parameters.collect()));
    for (text, parameters) in &creation.within {
        let parameters = [Some(id.clone())].into_iter().chain(parameters.clone()).collect();
        all.push(statement(text, parameters));
    }
    if !creation.reread.is_empty() {
        all.push(statement(creation.reread, vec![Some(id.clone())]));
    }
    if let Some(obstacle) = &creation.obstacle {
        all.push(statement(obstacle.text, obstacle.parameters.clone()));
    }
    if once.is_some() {
        let parameters = creation.replay_parameters.clone().into_iter().chain(marks).collect();
        all.push(statement(creation.replay, parameters));
    }
    all
}

fn replay(once: &Once, row: Vec<Option<String>>) -> Write<Record> {
    let record = Record::of(row)?;
    let id = record.peek("id").unwrap_or_default();
    if !once.same(&id) {
        return Err(Error::KeyReused);
    }
    Ok(Written { value: record, replayed: true })
}

/// Change something. The first statement returns a row if it changed it; the second, which sees what
/// others were quicker with, its version in the last column if it is there.
pub(crate) async fn change(
    sql: &impl Sql,
    caller: &Caller,
    dry_run: bool,
    needs: &'static str,
    version: Option<i64>,
    statements: Vec<Statement<'_>>,
) -> Result<Changed, Error> {
    let results = write(sql, caller, dry_run, needs, statements).await?;
    let mut results = results.into_iter();
    let (changed, now, rest) = (results.next(), results.next(), results.next());
    if let Some(row) = changed.and_then(|rows| rows.rows.into_iter().next()) {
        return Ok(Changed::Done(row, rest.unwrap_or_default()));
    }
    let Some(now) = now.and_then(|rows| rows.rows.into_iter().next()) else {
        return Err(Error::NotFound { field: "id" });
    };
    let current = now.last().cloned().flatten().and_then(|version| version.parse().ok());
    let current = current.ok_or_else(|| Error::internal("a version that is none"))?;
    if version.is_some_and(|version| version != current) {
        return Err(Error::Stale { version: current });
    }
    Ok(Changed::Refused(now))
}

/// What came of a change.
pub(crate) enum Changed {
    /// The row that it returned, and what the third statement did.
    Done(Vec<Option<String>>, Rows),
    /// It is there in the version that was wanted and did not change: row-level security says no, or
    /// the statement itself. The row of the second statement.
    Refused(Vec<Option<String>>),
}

impl Changed {
    /// The row, where only row-level security can say no.
    pub(crate) fn done(self, needs: &'static str) -> Result<(Vec<Option<String>>, Rows), Error> {
        match self {
            Self::Done(row, rest) => Ok((row, rest)),
            Self::Refused(_) => Err(Error::NotPermitted(Some(needs))),
        }
    }
}

/// The rows of a list as its items, and whether there are more than `limit`.
pub(crate) fn part<T>(
    rows: Rows,
    limit: usize,
    scope: &str,
    item: impl Fn(Vec<Option<String>>) -> Read<(super::cursor::Position, T)>,
) -> Read<super::Part<T>> {
    let more = rows.rows.len() > limit;
    let mut items = Vec::new();
    let mut last = None;
    for row in rows.rows.into_iter().take(limit) {
        let (position, one) = item(row)?;
        items.push(one);
        last = Some(position);
    }
    let next = match last {
        Some(last) if more => Some(super::cursor::encode(scope, &last)?),
        _ => None,
    };
    Ok(super::Part { items, next })
}

/// What a service's transaction met; a missing right there is our defect.
pub(crate) fn explain_service(error: SqlError) -> Error {
    match explain(error, "service") {
        Error::NotPermitted(_) => Error::internal("the service may not do this"),
        other => other,
    }
}
