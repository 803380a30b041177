//! Introspection in edge mode: access tokens are looked up in the revocation snapshot (crate `snapshot`,
//! which says why that is right), and the ledger is asked only if the snapshot cannot tell.
//!
//! Against strong mode this costs: a token that was revoked is active for up to
//! [`REVOCATION_BOUND`](snapshot::REVOCATION_BOUND) more; questions do not count as use of the session;
//! and limits are counted per instance of the function.

use std::cell::RefCell;

use ledger::{Address, Budget, Envelope, Millis, Revocation, Throttles};
use oauth::access_token::AccessToken;
use ports::{Clock, Config, ConfigError, Kv, Publisher};
use snapshot::{SHARDS, Snapshot, Verdict, key, shard_of};

/// A shard is read anew after so many milliseconds.
const REREAD: Millis = 5_000;

/// What an instance remembers between requests. No borrow of it lives across an await.
#[derive(Default)]
pub struct Edge {
    shards: RefCell<[Shard; SHARDS as usize]>,
    throttles: RefCell<Throttles>,
}

#[derive(Default)]
struct Shard {
    /// When it was last looked for.
    read_at: Option<Millis>,
    /// The latest that was found.
    snapshot: Option<Snapshot>,
}

impl Edge {
    /// The mode that the deployment has chosen, `INTROSPECTION_MODE`: `None` for `strong`, the default.
    ///
    /// # Errors
    /// If it is neither `strong` nor `edge`, or `edge` with a store of ledgers that nobody publishes
    /// the revocations of.
    pub fn load(config: &impl Config) -> Result<Option<Self>, ConfigError> {
        let setting = "INTROSPECTION_MODE";
        match config.get(setting).as_deref() {
            None | Some("strong") => Ok(None),
            Some("edge") if is_published(config) => Ok(Some(Self::default())),
            Some("edge") => {
                Err(ConfigError { setting, problem: "must be strong with this LEDGER_STORE" })
            }
            Some(_) => Err(ConfigError { setting, problem: "must be strong or edge" }),
        }
    }

    /// Whether a question may be asked, as [`Throttles::admit`] says.
    ///
    /// # Errors
    /// If it may not.
    pub(crate) fn admit(
        &self,
        address: &Address,
        envelope: &Envelope,
        now: Millis,
    ) -> Result<Option<Budget>, Budget> {
        self.throttles.borrow_mut().admit(address, envelope, now)
    }

    /// What the snapshot says of a token that was verified.
    pub(crate) async fn look_up<P: Clock + Kv + Publisher>(
        &self,
        platform: &P,
        claims: &AccessToken,
    ) -> Verdict {
        // Its end may be forgotten by now.
        let lives = claims.exp.saturating_sub(claims.iat).saturating_mul(1000);
        if lives > Revocation::LONGEST {
            return Verdict::Unknown;
        }
        let shard = shard_of(&claims.sid);
        let reread = self.is_due(shard, platform.now());
        if reread {
            self.read(platform, shard).await;
        }
        let verdict = self.verdict(shard, claims, platform.now());
        if verdict == Verdict::Unknown && reread && !self.is_current(shard, platform.now()) {
            platform.poke(shard).await;
        }
        verdict
    }

    /// Whether it is time to read a shard; then it is taken to be read from now on, so that of many
    /// requests at once one does it.
    fn is_due(&self, shard: u8, now: Millis) -> bool {
        let mut shards = self.shards.borrow_mut();
        let Some(held) = shards.get_mut(usize::from(shard)) else { return false };
        // A clock that went back must not keep a shard for longer.
        let fresh = held.read_at.is_some_and(|at| (at..at.saturating_add(REREAD)).contains(&now));
        if !fresh {
            held.read_at = Some(now);
        }
        !fresh
    }

    /// What cannot be read, or not be understood, is as good as not there.
    async fn read(&self, platform: &impl Kv, shard: u8) {
        let Ok(Some(bytes)) = platform.get(&key(shard)).await else { return };
        let Some(found) = Snapshot::parse(&bytes, shard) else { return };
        if let Some(held) = self.shards.borrow_mut().get_mut(usize::from(shard)) {
            // The cache may answer with what it had before.
            held.snapshot = Some(match held.snapshot.take() {
                Some(known) => known.or_later(found),
                None => found,
            });
        }
    }

    fn verdict(&self, shard: u8, claims: &AccessToken, now: Millis) -> Verdict {
        self.ask(shard, |snapshot| snapshot.verdict(&claims.sid, &claims.jti, claims.iat, now))
            .unwrap_or(Verdict::Unknown)
    }

    fn is_current(&self, shard: u8, now: Millis) -> bool {
        self.ask(shard, |snapshot| snapshot.is_current(now)).unwrap_or(false)
    }

    fn ask<T>(&self, shard: u8, question: impl FnOnce(&Snapshot) -> T) -> Option<T> {
        let shards = self.shards.borrow();
        shards.get(usize::from(shard))?.snapshot.as_ref().map(question)
    }
}

/// Whether the owners of the ledgers report what they revoke: Durable Objects do.
fn is_published(config: &impl Config) -> bool {
    matches!(config.get("LEDGER_STORE").as_deref(), None | Some("durable-object"))
}
