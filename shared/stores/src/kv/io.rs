//! Reading and writing keys: all at once where the order does not matter, and with patience where
//! the platform wants some.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{join, join_all, join4, join5, try_join_all};
use ledger::{Millis, Once, OnceId, Session, SessionId};
use ports::{Clock, KvError, KvStore, LedgerError, Random, Timer, Written};

use super::SETTLED;
use super::keys::{self, Keys};
use super::plan::{Care, Moved, Plan, Write};
use super::records::{
    Announcement, keep, merge, position, read, read_session, write, write_session,
};
use super::scope::{Announced, Others, Scope, SignIn};
use super::view::{Held, View, revoked};

/// So often a key is written that somebody else keeps busy.
const WRITES: u32 = 4;
/// A key can be written once in this time.
const PAUSE: Duration = Duration::from_secs(1);
/// At random somewhat longer, so that two who met do not meet again. In milliseconds.
const JITTER: u64 = 250;
/// So many announcements are looked at at a time.
const ANNOUNCED: usize = 200;
/// How long a missing session is remembered as such.
const MISSING: Duration = Duration::from_secs(86_400);

/// One ledger on its store.
pub(super) struct Io<'a, P, K> {
    pub(super) platform: &'a P,
    pub(super) kv: &'a K,
    pub(super) keys: &'a Keys,
}

impl<P: Clock + Timer + Random, K: KvStore> Io<'_, P, K> {
    /// Reads what a command must see.
    pub(super) async fn view(&self, scope: &Scope) -> Result<View, LedgerError> {
        let (names, signed_in) = join(self.names(scope), self.signed_in(scope)).await;
        let (mut names, signed_in) = (names?, signed_in?);
        let announced = self.announced(scope.webhooks).await?;
        names.extend(signed_in.iter().chain(&scope.sessions));
        names.extend(scope.sign_in.as_ref().map(|sign_in| self.keys.name_of(sign_in)));
        names.extend(scope.code.as_ref().map(|code| self.keys.name_of_code(code.id)));
        let consumed = try_join_all(scope.once.iter().map(|once| self.used(*once))).await?;
        let windows =
            async { if scope.windows { self.record(self.keys.windows()).await } else { Ok(None) } };
        let (held, tokens, purge, of_some, windows) = join5(
            try_join_all(names.into_iter().map(|session| self.held(session, scope.upstream))),
            try_join_all(scope.tokens.iter().map(|jti| self.revoked(jti))),
            self.record(self.keys.purge()),
            self.record(self.keys.purges_of_some()),
            windows,
        )
        .await;
        Ok(View {
            sessions: held?.into_iter().collect(),
            revoked: tokens?.into_iter().flatten().collect(),
            purge: purge?,
            purges_of_some: of_some?.unwrap_or_default(),
            windows: windows?.unwrap_or_default(),
            signed_in,
            announced,
            consumed: consumed.into_iter().flatten().collect(),
        })
    }

    /// Writes what a command has changed. Events come first, so that nothing is done untold; then
    /// what has ended, whether or not they could be written.
    pub(super) async fn write(&self, plan: Plan) -> Result<(), LedgerError> {
        let told = self.all(plan.events).await;
        self.all(plan.ends).await?;
        told?;
        let moved = plan.sessions.into_iter().map(|moved| self.move_on(moved));
        let (rest, moved) = join(self.all(plan.rest), join_all(moved)).await;
        moved.into_iter().collect::<Result<Vec<_>, _>>()?;
        rest?;
        let gone = plan.gone.iter().map(|key| self.kv.delete(key));
        try_join_all(gone).await.map_err(failed)?;
        Ok(())
    }

    /// Refuses to judge a session that a token of ours speaks of and that is not to be found: it may
    /// have begun elsewhere a moment ago. Only after a while it is believed that there is none.
    pub(super) async fn wait_for_missing(&self, view: &View) -> Result<(), LedgerError> {
        let now = self.platform.now();
        let missing = view.missing().map(|session| async move {
            let key = self.keys.missing(session);
            let since: Option<Millis> = self.record(key.clone()).await?;
            if since.is_none() {
                self.kv.put(&key, &write(&now), MISSING).await.map_err(failed)?;
            }
            Ok::<_, LedgerError>(now < since.unwrap_or(now).saturating_add(SETTLED))
        });
        if try_join_all(missing).await?.contains(&true) {
            return Err(LedgerError("a session that cannot be seen here yet".to_owned()));
        }
        Ok(())
    }

    /// All keys with a prefix.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<String>, LedgerError> {
        let mut keys = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.kv.list(prefix, cursor.as_deref()).await.map_err(failed)?;
            keys.extend(page.keys);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        self.kv.get(key).await.map_err(failed)
    }

    async fn record<T: for<'d> serde::Deserialize<'d>>(
        &self,
        key: String,
    ) -> Result<Option<T>, LedgerError> {
        self.get(&key).await?.as_deref().map(read).transpose()
    }

    async fn names(&self, scope: &Scope) -> Result<BTreeSet<SessionId>, LedgerError> {
        if scope.others == Others::None {
            return Ok(BTreeSet::new());
        }
        let (sessions, tombstones) = (self.keys.sessions(), self.keys.tombstones());
        let (alive, ended) = join(self.list(&sessions), self.list(&tombstones)).await;
        let ids = |keys: Vec<String>| -> BTreeSet<_> {
            keys.iter().filter_map(|key| keys::session_id(key)).collect()
        };
        let (mut names, ended) = (ids(alive?), ids(ended?));
        if scope.others == Others::Alive {
            names.retain(|session| !ended.contains(session));
        }
        Ok(names)
    }

    async fn signed_in(&self, scope: &Scope) -> Result<Vec<SessionId>, LedgerError> {
        let Some(SignIn { client_id, external_id, .. }) = &scope.sign_in else { return Ok(vec![]) };
        let names = self.record(self.keys.sign_in(client_id, external_id)).await?;
        Ok(names.unwrap_or_default())
    }

    async fn revoked(&self, jti: &str) -> Result<Option<ledger::RevokedToken>, LedgerError> {
        let until = self.get(&self.keys.token(jti)).await?;
        until.map(|until| revoked(jti, &until)).transpose()
    }

    async fn used(&self, once: OnceId) -> Result<Option<Once>, LedgerError> {
        let until = self.record(self.keys.used(once)).await?;
        Ok(until.map(|until| Once::new(once, until)))
    }

    async fn held(
        &self,
        session: SessionId,
        upstream: bool,
    ) -> Result<(SessionId, Held), LedgerError> {
        let upstream = async {
            if upstream { self.record(self.keys.upstream(session)).await } else { Ok(None) }
        };
        let (key, trace) = (self.keys.session(session), self.keys.trace(session));
        let (held, tombstone, trace, upstream) = join4(
            self.get(&key),
            self.record(self.keys.tombstone(session)),
            self.record(trace),
            upstream,
        )
        .await;
        let held = Held {
            session: held?.as_deref().map(read_session).transpose()?,
            tombstone: tombstone?,
            trace: trace?.unwrap_or_default(),
            upstream: upstream?,
        };
        Ok((session, held))
    }

    async fn announced(&self, which: Announced) -> Result<Vec<Announcement>, LedgerError> {
        let keys = match which {
            Announced::None => return Ok(vec![]),
            Announced::One(id) => vec![self.keys.webhook(id)],
            Announced::All => self.list(&self.keys.webhooks()).await?,
        };
        let keys = keys.into_iter().take(ANNOUNCED);
        let found = try_join_all(keys.map(|key| self.record(key))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// All of them, also if one fails.
    async fn all(&self, writes: Vec<Write>) -> Result<(), LedgerError> {
        let done = join_all(writes.into_iter().map(|write| self.one(write))).await;
        done.into_iter().collect()
    }

    async fn one(&self, write: Write) -> Result<(), LedgerError> {
        let Write { key, value, ttl, care } = write;
        if care == Care::Once && self.get(&key).await?.is_some() {
            return Ok(());
        }
        for attempt in 0..WRITES {
            if attempt > 0 {
                self.pause().await;
            }
            match (self.kv.write(&key, &value, ttl).await, care) {
                (Ok(Written::Done), _)
                | (Ok(Written::TooSoon), Care::Once | Care::Best)
                | (Err(_), Care::Best) => return Ok(()),
                (Ok(Written::TooSoon), Care::Must) => {}
                (Ok(Written::TooSoon), Care::Alone) => {
                    return Err(LedgerError("used by two at once".to_owned()));
                }
                (Err(error), _) => return Err(failed(error)),
            }
        }
        Err(LedgerError("a key is written all the time".to_owned()))
    }

    /// Writes a session over what is there by now, unless that has come further. If others keep the
    /// key busy, a rotation is not worth more waiting: its successor is derived, and whoever holds it
    /// moves the store on with the next refresh.
    async fn move_on(&self, moved: Moved) -> Result<(), LedgerError> {
        let Moved { session, begun, until } = moved;
        let key = self.keys.session(session.id);
        let ttl = keep(until, self.platform.now());
        for attempt in 0..WRITES {
            if attempt > 0 {
                self.pause().await;
            }
            let stored = self.get(&key).await?.as_deref().map(read_session).transpose()?;
            let merged = merged(&session, stored.as_ref(), attempt > 0);
            let Some(merged) = merged else { return Ok(()) };
            let written = self.kv.write(&key, &write_session(merged), ttl).await;
            if written.map_err(failed)? == Written::Done {
                return Ok(());
            }
        }
        if begun { Err(LedgerError("a key is written all the time".to_owned())) } else { Ok(()) }
    }

    async fn pause(&self) {
        let mut byte = [0];
        self.platform.fill(&mut byte);
        let jitter = Duration::from_millis(u64::from(byte[0]) * JITTER / 255);
        self.platform.sleep(PAUSE + jitter).await;
    }
}

/// What is to be written of a session; nothing if what is there has come further, or, when others
/// were faster, as far.
fn merged(session: &Session, stored: Option<&Session>, late: bool) -> Option<Session> {
    let Some(stored) = stored else { return Some(session.clone()) };
    let (mine, theirs) = (position(session), position(stored));
    let enough = mine < theirs || late && mine == theirs;
    (!enough).then(|| merge(session.clone(), stored.clone()))
}

pub(super) fn failed(error: KvError) -> LedgerError {
    LedgerError(error.0)
}
