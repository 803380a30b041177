//! What the use cases need of the world, as small traits that a host implements: time, randomness,
//! signatures, outbound HTTP, the key-value cache, the ledgers, the publisher of revocations, SQL,
//! settings and the log.
//!
//! All traits are statically dispatched and used from one thread; futures need not be `Send`.
#![expect(
    async_fn_in_trait,
    reason = "statically dispatched on single-threaded hosts; no Send bound is wanted"
)]

use std::time::Duration;

use bytes::Bytes;
pub use ledger::Millis;
use ledger::{Address, Answer, Envelope, Outcome};
pub use oauth::jwk::{PrivateKey, PublicKey};

pub mod config;
pub mod hosts;
pub mod route;

pub use config::ConfigError;

/// A request whose body has been read, within the bound of its route.
pub type Request = http::Request<Bytes>;
/// What the platform itself knows of the place that a request comes from; in the extensions of a
/// [`Request`]. What it does not know is absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// The country, ISO 3166-1.
    pub country: Option<String>,
    /// The autonomous system of the network.
    pub asn: Option<u32>,
    /// Latitude and longitude in degrees.
    pub degrees: Option<(f64, f64)>,
}

/// A response, complete.
pub type Response = http::Response<Bytes>;

/// The time of day.
pub trait Clock {
    /// Now.
    fn now(&self) -> Millis;
}

/// Waiting.
pub trait Timer {
    /// Come back after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// Cryptographically secure random bytes.
pub trait Random {
    /// Fill `out`.
    fn fill(&self, out: &mut [u8]);

    /// A number, each as likely as any other.
    fn number(&self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_be_bytes(bytes)
    }
}

/// Settings and secrets of the deployment.
pub trait Config {
    /// The setting's text; `None` when it is absent or empty.
    fn get(&self, name: &str) -> Option<String>;
}

/// Where log lines go.
pub trait Log {
    /// One complete line of JSON, without the line end.
    fn line(&self, line: &str);
}

/// Signatures: `EdDSA` for our own tokens, `RS256` for the identity provider's and `ES256` for what clients
/// sign; the last two are verified only.
pub trait Signatures {
    /// Whether the signature is by the key. Nothing is by a key that is none, such as a point that is
    /// not on its curve.
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, SignatureError>;

    /// Sign with `EdDSA`, deterministically (RFC 8032).
    async fn sign(&self, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError>;
}

/// The host's cryptography fails: a defect, never a statement about a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signatures: {0}")]
pub struct SignatureError(pub String);

/// Outbound HTTP.
pub trait Fetch {
    /// Send `request` and read the whole answer, within `timeout`. Redirects are not followed.
    async fn fetch(&self, request: Request, timeout: Duration) -> Result<Response, FetchError>;
}

/// An extension of a request whose answer's body is of no interest: hosts do not read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusOnly;

/// An extension of a request to somebody whom strangers have named: an answer whose body has more bytes
/// is not read to its end, and is [`FetchError::TooLong`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtMost(pub usize);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// No connection, or it broke.
    #[error("{0}")]
    Connection(String),
    /// The answer is longer than the request allows it to be.
    #[error("an answer of more than {0} bytes")]
    TooLong(usize),
    /// It failed a moment ago and is left alone for this long: nobody was asked.
    #[error("left alone for another {0:?} after failures")]
    Paused(Duration),
}

/// The eventually consistent cache. What is read may be stale.
pub trait Kv {
    /// The value under `key`, if there is one.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError>;
    /// Store `value` for about `ttl` (at least 60 s).
    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError>;
}

/// What a key-value store must do besides, to be a store of ledgers and not only a cache. It may be
/// as stale, and it promises nothing about two writers of one key: the last one wins.
pub trait KvStore: Kv {
    /// Store `value` for about `ttl` (at least 60 s), and say whether that was done: platforms
    /// refuse to write one key twice within a second.
    async fn write(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Written, KvError>;
    /// Remove what is under `key`, if there is anything.
    async fn delete(&self, key: &str) -> Result<(), KvError>;
    /// The keys that begin with `prefix`, in the order of their bytes: the first page, or the one of
    /// that cursor.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<KeyPage, KvError>;
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is stored, and everybody will see it in time.
    Done,
    /// It is not: somebody has written the key within the last second.
    TooSoon,
}

/// Some of the keys with a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPage {
    /// The keys. There may be none although there is a next page.
    pub keys: Vec<String>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl<T: Kv> Kv for &T {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        T::get(self, key).await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        T::put(self, key, value, ttl).await
    }
}

impl<T: KvStore> KvStore for &T {
    async fn write(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Written, KvError> {
        T::write(self, key, value, ttl).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        T::delete(self, key).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<KeyPage, KvError> {
        T::list(self, prefix, cursor).await
    }
}

/// The cache does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key-value store: {0}")]
pub struct KvError(pub String);

/// The strongly consistent ledgers: each command on one address is atomic.
pub trait Ledgers {
    /// Apply the command to the ledger at `address`. On an error it is unknown whether the
    /// command took effect; every command can be repeated.
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError>;

    /// The same, for a caller who does not tell what is left of a limit.
    async fn execute(
        &self,
        address: &Address,
        envelope: &Envelope,
    ) -> Result<Outcome, LedgerError> {
        Ok(self.ask(address, envelope).await?.outcome)
    }
}

/// The ledger's owner does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ledger: {0}")]
pub struct LedgerError(pub String);

/// The publisher of the revocation snapshot, for introspection in edge mode.
pub trait Publisher {
    /// Say that somebody reads a shard and finds nothing current. A publisher that does not hear it
    /// costs time, not correctness, so there is no error.
    async fn poke(&self, shard: u8);
}

/// A whole host: everything but SQL, which is spoken over [`Fetch`].
pub trait Platform:
    Clock + Timer + Random + Config + Log + Signatures + Fetch + Kv + Ledgers + Publisher
{
}

impl<T> Platform for T where
    T: Clock + Timer + Random + Config + Log + Signatures + Fetch + Kv + Ledgers + Publisher
{
}

/// The business database.
pub trait Sql {
    /// Run the statements in order in one transaction and return their results in order; an error
    /// undoes all of them.
    async fn transaction(&self, statements: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError>;
}

/// One statement with its bound parameters, as text; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'a> {
    /// SQL with `$1`, `$2`, …
    pub text: &'a str,
    /// The values of `$1`, `$2`, …
    pub parameters: Vec<Option<String>>,
}

/// What a statement returned: rows of columns in the database's text format.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// The rows in the order of the database.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Why a transaction did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The database cannot be reached, is starting or is overloaded: try again later.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The database refused a statement; `code` is the SQLSTATE.
    #[error("SQLSTATE {code}: {message}")]
    Refused {
        /// SQLSTATE, five characters.
        code: String,
        /// For the log only.
        message: String,
        /// The violated constraint, if any.
        constraint: Option<String>,
    },
    /// The answer is not what the protocol promises.
    #[error("database protocol: {0}")]
    Protocol(String),
}
