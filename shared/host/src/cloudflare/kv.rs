use std::time::Duration;

use ports::{Kv, KvError};

use super::Cloudflare;

const BINDING: &str = "CACHE";
/// The platform keeps nothing for less.
const SHORTEST: u64 = 60;

impl Kv for Cloudflare {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        let store = self.env.kv(BINDING).map_err(|error| KvError(error.to_string()))?;
        store.get(key).bytes().await.map_err(|error| KvError(error.to_string()))
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        let store = self.env.kv(BINDING).map_err(|error| KvError(error.to_string()))?;
        let put = store.put_bytes(key, value).map_err(|error| KvError(error.to_string()))?;
        let put = put.expiration_ttl(ttl.as_secs().max(SHORTEST));
        put.execute().await.map_err(|error| KvError(error.to_string()))
    }
}
