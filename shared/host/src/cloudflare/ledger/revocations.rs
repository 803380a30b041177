//! The Durable Object that publishes one shard of the revocation snapshot: it stores what ledgers
//! report and writes it into the cache. Crate `snapshot` says what readers rely on.

#![expect(missing_docs, reason = "the exports that the durable_object macro writes have none")]

use std::cell::RefCell;
use std::time::Duration;

use ledger::Millis;
use ports::Kv;
use snapshot::{Mark, Memory, Report, key};
use worker::wasm_bindgen;
use worker::{
    DurableObject, Env, Request, Response, Result, SqlStorage, SqlStorageValue, State,
    durable_object,
};

use crate::cloudflare::Cloudflare;
use crate::cloudflare::platform::now;
use crate::owner;

/// Readers are told at least this often while there are any.
const PERIOD: Millis = 20_000;
/// And this soon of something new: the cache takes one write per second and key.
const SOON: Millis = 2_000;
/// A write that failed is tried again after this many milliseconds.
const RETRY: Millis = 5_000;
/// Somebody is taken to read for so long after they last asked for it.
const ACTIVE: Millis = 3_600_000;
/// The cache forgets a shard that nobody writes: it would be too old to be believed.
const LIVES: Duration = Duration::from_secs(300);

/// One shard.
#[durable_object(alarm)]
pub struct Revocations {
    state: State,
    platform: Cloudflare,
    held: RefCell<Option<Held>>,
}

/// What is stored, as it is held in memory, and what has been done about it.
struct Held {
    shard: u8,
    memory: Memory,
    /// Until when somebody is taken to read.
    wanted_until: Millis,
    published_at: Option<Millis>,
    /// When the alarm is set to ring.
    armed: Option<Millis>,
}

impl DurableObject for Revocations {
    fn new(state: State, env: Env) -> Self {
        console_error_panic_hook::set_once();
        Self { state, platform: Cloudflare::new(env), held: RefCell::new(None) }
    }

    /// Take a report. The platform holds the answer back until what was stored is durable.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let report: Report = match serde_json::from_slice(&request.bytes().await?) {
            Ok(report) => report,
            Err(error) => return Response::error(format!("unreadable report: {error}"), 400),
        };
        let due = self.accept(&report)?;
        if let Some(due) = due {
            self.arm(due).await?;
        }
        Response::empty()
    }

    /// Publish. It never fails: a failing alarm would be retried and then given up by the platform.
    async fn alarm(&self) -> Result<Response> {
        if let Err(error) = self.publish().await {
            owner::complain(&self.platform, "publish_failed", &error.to_string());
            let _ = self.arm(now() + RETRY).await;
        }
        Response::empty()
    }
}

impl Revocations {
    /// Store what is new, without an await in between, and say by when it must be published.
    fn accept(&self, report: &Report) -> Result<Option<Millis>> {
        let (sql, now) = (self.state.storage().sql(), now());
        let mut held = self.held.borrow_mut();
        // Taken, not borrowed: if storing fails, what is in memory must not outlive the failure.
        let mut taken = match held.take().map_or_else(|| load(&sql), |known| Ok(Some(known)))? {
            Some(known) => known,
            None => begin(&sql, report.shard, now)?,
        };
        for (mark, until) in taken.memory.accept(&report.revocations) {
            let values = vec![mark.to_string().into(), integer(until)];
            sql.exec("insert or replace into revoked (mark, until) values (?, ?)", values)?;
        }
        if taken.wanted_until < now + ACTIVE / 2 {
            taken.wanted_until = now + ACTIVE;
            sql.exec("update publisher set wanted_until = ?", vec![integer(now + ACTIVE)])?;
        }
        let due = if !report.revocations.is_empty() {
            Some(now + SOON)
        } else {
            // Who asks while the last one is on its way need only wait.
            let on_its_way = taken.published_at.is_some_and(|at| now < at + PERIOD);
            (!on_its_way).then_some(now)
        };
        *held = Some(taken);
        Ok(due)
    }

    /// Write the shard into the cache and come back before it is old; stop if nobody reads and there
    /// is nothing to tell. Who reports or reads next begins anew.
    async fn publish(&self) -> Result<()> {
        let Some((shard, bytes)) = self.due()? else {
            *self.held.borrow_mut() = None;
            return self.state.storage().delete_all().await;
        };
        // Set anew before anything can go wrong.
        let at = now();
        self.arm(at + PERIOD).await?;
        let put = self.platform.put(&key(shard), &bytes, LIVES).await;
        put.map_err(|error| error.to_string())?;
        if let Some(held) = self.held.borrow_mut().as_mut() {
            held.published_at = Some(at);
        }
        Ok(())
    }

    /// What is to be published now, if anything is.
    fn due(&self) -> Result<Option<(u8, Vec<u8>)>> {
        let (sql, now) = (self.state.storage().sql(), now());
        let mut held = self.held.borrow_mut();
        if held.is_none() {
            *held = load(&sql)?;
        }
        let Some(held) = held.as_mut() else { return Ok(None) };
        // The alarm that rings is no longer set.
        held.armed = None;
        held.memory.expire(now);
        if !is_edge(&self.platform.env) || (held.memory.is_empty() && held.wanted_until <= now) {
            return Ok(None);
        }
        sql.exec("delete from revoked where until <= ?", vec![integer(now)])?;
        Ok(Some((held.shard, held.memory.publish(now))))
    }

    /// Set the alarm, unless it rings before that anyway.
    async fn arm(&self, due: Millis) -> Result<()> {
        if let Some(held) = self.held.borrow_mut().as_mut() {
            if held.armed.is_some_and(|armed| armed <= due) {
                return Ok(());
            }
            held.armed = Some(due);
        }
        let after = i64::try_from(due.saturating_sub(now())).unwrap_or(i64::MAX);
        let set = self.state.storage().set_alarm(after).await;
        if set.is_err()
            && let Some(held) = self.held.borrow_mut().as_mut()
        {
            held.armed = None;
        }
        set
    }
}

/// Whether the deployment introspects in edge mode, so that ledgers report what they revoke. Functions
/// that are told anything else refuse to serve.
pub(super) fn is_edge(env: &Env) -> bool {
    env.var("INTROSPECTION_MODE").is_ok_and(|mode| mode.to_string() == "edge")
}

/// The tables of a publisher that hears of everything from now on.
fn begin(sql: &SqlStorage, shard: u8, since: Millis) -> Result<Held> {
    sql.exec(
        "create table if not exists publisher (id integer primary key check (id = 1), \
         shard integer not null, since integer not null, wanted_until integer not null)",
        None,
    )?;
    let marks =
        "create table if not exists revoked (mark text primary key, until integer not null)";
    sql.exec(marks, None)?;
    let values = vec![i32::from(shard).into(), integer(since), integer(since)];
    let text = "insert into publisher (id, shard, since, wanted_until) values (1, ?, ?, ?)";
    sql.exec(text, values)?;
    let memory = Memory::new(shard, since, []);
    Ok(Held { shard, memory, wanted_until: since, published_at: None, armed: None })
}

/// What is stored; `None` if this shard has no publisher yet.
fn load(sql: &SqlStorage) -> Result<Option<Held>> {
    #[derive(serde::Deserialize)]
    struct Row {
        shard: u8,
        since: Millis,
        wanted_until: Millis,
    }
    #[derive(serde::Deserialize)]
    struct Revoked {
        mark: String,
        until: Millis,
    }
    let table = "select name from sqlite_master where type = 'table' and name = 'publisher'";
    if sql.exec(table, None)?.raw().next().is_none() {
        return Ok(None);
    }
    let rows = sql.exec("select shard, since, wanted_until from publisher", None)?;
    let Some(Row { shard, since, wanted_until }) = rows.to_array::<Row>()?.pop() else {
        return Ok(None);
    };
    let revoked = sql.exec("select mark, until from revoked", None)?.to_array::<Revoked>()?;
    let marks = revoked.into_iter().map(|Revoked { mark, until }| {
        let mark: Mark = mark.parse().map_err(|_| "a stored mark is none")?;
        Ok((mark, until))
    });
    let memory = Memory::new(shard, since, marks.collect::<Result<Vec<_>>>()?);
    Ok(Some(Held { shard, memory, wanted_until, published_at: None, armed: None }))
}

/// Times are far below what a number of the platform holds exactly.
fn integer(time: Millis) -> SqlStorageValue {
    i64::try_from(time).unwrap_or(i64::MAX).into()
}
