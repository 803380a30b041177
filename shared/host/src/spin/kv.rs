use std::time::Duration;

use ports::{Clock as _, KeyPage, Kv, KvError, KvStore, Written};
use spin_sdk::key_value::{Error, Store};

use super::Spin;
use super::expiring::{Found, unwrap, wrap};

/// The only store that every Spin has without being told of it.
const STORE: &str = "default";
/// The platform keeps nothing for less on Workers, so nothing asks for less.
const SHORTEST: Duration = Duration::from_secs(60);

/// The cache, and, with `LEDGER_STORE=platform-kv`, the ledgers. Their keys have nothing in common.
impl<K> Kv for Spin<K> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        let stored = open().await?.get(key).await.map_err(failed)?;
        Ok(stored.and_then(|stored| match unwrap(&stored, self.now()) {
            Found::Value(value) => Some(value.to_vec()),
            Found::Over | Found::Forgotten => None,
        }))
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        let stored = wrap(value, self.now(), ttl.max(SHORTEST));
        open().await?.set(key, stored).await.map_err(failed)
    }
}

impl<K> KvStore for Spin<K> {
    async fn write(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Written, KvError> {
        self.put(key, value, ttl).await.map(|()| Written::Done)
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        open().await?.delete(key).await.map_err(failed)
    }

    /// The platform lists all keys or none, so there is one page; what is over is looked at for that.
    async fn list(&self, prefix: &str, _cursor: Option<&str>) -> Result<KeyPage, KvError> {
        let store = open().await?;
        let (now, mut keys) = (self.now(), Vec::new());
        for key in store.get_keys().await.collect().await.map_err(failed)? {
            if !key.starts_with(prefix) {
                continue;
            }
            let Some(stored) = store.get(&key).await.map_err(failed)? else { continue };
            match unwrap(&stored, now) {
                Found::Value(_) => keys.push(key),
                Found::Over => {}
                Found::Forgotten => store.delete(&key).await.map_err(failed)?,
            }
        }
        keys.sort_unstable();
        Ok(KeyPage { keys, next: None })
    }
}

async fn open() -> Result<Store, KvError> {
    Store::open(STORE).await.map_err(failed)
}

fn failed(error: Error) -> KvError {
    KvError(match error {
        Error::NoSuchStore | Error::AccessDenied => {
            "the manifest does not give the component the store \"default\"".to_owned()
        }
        other => other.to_string(),
    })
}
