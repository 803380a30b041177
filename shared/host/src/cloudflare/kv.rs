use std::time::Duration;

use ports::{KeyPage, Kv, KvError, KvStore, Written};
use worker::Env;
use worker::kv::KvStore as Store;

use super::Cloudflare;

const CACHE: &str = "CACHE";
/// The platform keeps nothing for less.
const SHORTEST: u64 = 60;
/// What is read may be this many seconds old: the least that the platform caches it for.
const OLDEST: u64 = 30;
/// So the platform calls the refusal of a second write within a second.
const TOO_MANY: &str = "429";

/// A namespace that is bound under some name: one that keeps ledgers must not be the cache.
pub struct Namespace<'e> {
    env: &'e Env,
    binding: &'static str,
}

impl<'e> Namespace<'e> {
    /// The namespace of a binding. That there is none, its use will tell.
    pub const fn new(env: &'e Env, binding: &'static str) -> Self {
        Self { env, binding }
    }

    fn store(&self) -> Result<Store, KvError> {
        self.env.kv(self.binding).map_err(|error| KvError(error.to_string()))
    }
}

impl Kv for Namespace<'_> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        self.store()?.get(key).cache_ttl(OLDEST).bytes().await.map_err(failed)
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        let put = self.store()?.put_bytes(key, value).map_err(failed)?;
        put.expiration_ttl(ttl.as_secs().max(SHORTEST)).execute().await.map_err(failed)
    }
}

impl KvStore for Namespace<'_> {
    async fn write(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Written, KvError> {
        match self.put(key, value, ttl).await {
            Ok(()) => Ok(Written::Done),
            Err(KvError(cause)) if cause.contains(TOO_MANY) => Ok(Written::TooSoon),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.store()?.delete(key).await.map_err(failed)
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<KeyPage, KvError> {
        let list = self.store()?.list().prefix(prefix.to_owned());
        let list = match cursor {
            Some(cursor) => list.cursor(cursor.to_owned()),
            None => list,
        };
        let page = list.execute().await.map_err(failed)?;
        let next = page.cursor.filter(|cursor| !page.list_complete && !cursor.is_empty());
        Ok(KeyPage { keys: page.keys.into_iter().map(|key| key.name).collect(), next })
    }
}

/// The cache.
impl Kv for Cloudflare {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        Namespace::new(&self.env, CACHE).store()?.get(key).bytes().await.map_err(failed)
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        Namespace::new(&self.env, CACHE).put(key, value, ttl).await
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err has")]
fn failed(error: worker::kv::KvError) -> KvError {
    KvError(error.to_string())
}
