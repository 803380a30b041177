use ledger::{Address, Millis};

use crate::store::{StoreError, Stored, Version, VersionedStore};
use crate::store::{address as parse_address, time as parse_time};

/// A way to one Redis (7.0 or what behaves like it), by whatever protocol.
pub trait Commands {
    /// Send one command and read its answer.
    ///
    /// # Errors
    /// [`CommandError::Refused`] with the text of an error that Redis answers, else
    /// [`CommandError::Away`].
    async fn command(&self, command: &[&str]) -> Result<RedisValue, CommandError>;
}

/// What Redis answers. All that the ledgers keep there is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisValue {
    /// Nothing.
    Nil,
    /// A whole number.
    Integer(i64),
    /// Text, by whatever name the protocol has for it.
    Text(String),
    /// Several of them.
    Array(Vec<RedisValue>),
}

/// Why there is no answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Redis refuses the command and says why, beginning with a word in capitals.
    #[error("Redis: {0}")]
    Refused(String),
    /// No answer came. Whether the command was carried out is unknown.
    #[error("Redis: {0}")]
    Away(String),
}

/// Ledgers in Redis, each a hash that only a script changes, so that comparing and swapping is one
/// step there.
///
/// It keeps the promise of [`VersionedStore::swap`] if, and only if, Redis writes before it
/// answers: `appendonly yes` and `appendfsync always`. A replica that takes over may lack the last
/// writes; the ledger then goes forward to the newest token that a client shows, and says so in
/// its audit trail, but a revocation among those writes is lost.
///
/// Keys are in sixteen groups, by the first digit of the address. A group has one hash tag, so
/// that on a cluster a ledger is in the same slot as the sorted set that tells when work is due.
pub struct RedisStore<C> {
    commands: C,
}

struct Script {
    text: &'static str,
    /// SHA-1 of the text, by which Redis knows it.
    digest: &'static str,
}

/// Reading is a script too: services that answer reads from replicas send scripts to the primary.
const LOAD: Script = Script {
    text: include_str!("../queries/redis_load.lua"),
    digest: "617d2370f13aeb37e9ac733e697d0cf693aa92a2",
};
/// An empty version removes, an empty time is none.
const SWAP: Script = Script {
    text: include_str!("../queries/redis_swap.lua"),
    digest: "f3228455b4727f648715f77d9f5f434d5550aa65",
};
const GROUPS: &str = "0123456789abcdef";

impl<C: Commands> RedisStore<C> {
    /// Ledgers in the Redis behind `commands`.
    pub const fn new(commands: C) -> Self {
        Self { commands }
    }

    /// The way to Redis.
    pub const fn commands(&self) -> &C {
        &self.commands
    }

    async fn run(&self, script: &Script, arguments: &[&str]) -> Result<RedisValue, StoreError> {
        let by_digest = [&["EVALSHA", script.digest], arguments].concat();
        let answer = match self.commands.command(&by_digest).await {
            // Redis forgets its scripts when it restarts; this teaches it anew.
            Err(CommandError::Refused(why)) if why.contains("NOSCRIPT") => {
                self.commands.command(&[&["EVAL", script.text], arguments].concat()).await
            }
            answer => answer,
        };
        answer.map_err(|error| failed(&error))
    }

    /// Put `write` in place of the version `expected`; the one that is empty means nothing.
    async fn replace(
        &self,
        address: &Address,
        expected: &str,
        [version, document, due]: [&str; 3],
    ) -> Result<bool, StoreError> {
        let address = address.to_string();
        let (key, due_key) = (key(&address), due_key(group(&address)));
        let arguments = ["2", &key, &due_key, expected, version, document, due, &address];
        match self.run(&SWAP, &arguments).await? {
            RedisValue::Integer(done) => Ok(done == 1),
            _ => Err(unexpected()),
        }
    }

    /// The ledgers of one group with work due, and since when.
    async fn due_in(
        &self,
        group: &str,
        now: &str,
        limit: &str,
    ) -> Result<Vec<(Millis, Address)>, StoreError> {
        let key = due_key(group);
        let command = ["ZRANGEBYSCORE", &key, "-inf", now, "WITHSCORES", "LIMIT", "0", limit];
        let answer = self.commands.command(&command).await.map_err(|error| failed(&error))?;
        let RedisValue::Array(items) = answer else { return Err(unexpected()) };
        let pairs = items.chunks(2).map(|pair| match pair {
            [RedisValue::Text(address), RedisValue::Text(at)] => {
                Ok((parse_time(at)?, parse_address(address)?))
            }
            _ => Err(unexpected()),
        });
        pairs.collect()
    }
}

impl<C: Commands> VersionedStore for RedisStore<C> {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        let key = key(&address.to_string());
        let RedisValue::Array(fields) = self.run(&LOAD, &["1", &key]).await? else {
            return Err(unexpected());
        };
        match fields.as_slice() {
            [RedisValue::Nil, RedisValue::Nil, RedisValue::Nil] => Ok(None),
            [RedisValue::Text(document), RedisValue::Text(version), RedisValue::Text(due)] => {
                let due = if due.is_empty() { None } else { Some(parse_time(due)?) };
                let version = Version::from_text(version.clone());
                Ok(Some(Stored { document: document.clone(), version, due }))
            }
            _ => Err(unexpected()),
        }
    }

    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError> {
        let expected = expected.map_or("", Version::as_str);
        let due = write.due.map(|due| due.to_string()).unwrap_or_default();
        self.replace(address, expected, [write.version.as_str(), &write.document, &due]).await
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        self.replace(address, expected.as_str(), ["", "", ""]).await
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        let (now, most) = (now.to_string(), limit.to_string());
        let mut due = Vec::new();
        for at in 0..GROUPS.len() {
            due.extend(self.due_in(&GROUPS[at..=at], &now, &most).await?);
        }
        due.sort_unstable();
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(due.into_iter().map(|(_, address)| address).collect())
    }
}

fn group(address: &str) -> &str {
    address.get(..1).unwrap_or_default()
}

fn key(address: &str) -> String {
    format!("ledger:{{{}}}:{address}", group(address))
}

fn due_key(group: &str) -> String {
    format!("ledger:{{{group}}}:due")
}

fn failed(error: &CommandError) -> StoreError {
    match error {
        // It is starting, runs a long script, or moves the slot.
        CommandError::Refused(why)
            if ["LOADING", "BUSY", "TRYAGAIN"].iter().any(|word| why.starts_with(word)) =>
        {
            StoreError::Busy(error.to_string())
        }
        _ => StoreError::Away(error.to_string()),
    }
}

fn unexpected() -> StoreError {
    StoreError::Broken("Redis: an answer of another shape".to_owned())
}
