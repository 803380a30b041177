use std::fmt;
use std::str::FromStr;

/// Where a deployment keeps its ledgers: the values of the setting `LEDGER_STORE`. There is no
/// default, because the stores do not promise the same. Which of them a platform offers is the
/// host's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreChoice {
    /// A Durable Object per user.
    DurableObject,
    /// SQLite on one host.
    Sqlite,
    /// Redis, spoken to directly.
    Redis,
    /// Redis over HTTP: the protocol of Upstash and Vercel KV.
    RedisRest,
    /// Postgres over HTTP.
    Postgres,
    /// The platform's key-value store alone, which is eventually consistent.
    PlatformKv,
    /// This process, until it ends.
    Memory,
}

/// The text names no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownStore;

impl StoreChoice {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::DurableObject,
        Self::Sqlite,
        Self::Redis,
        Self::RedisRest,
        Self::Postgres,
        Self::PlatformKv,
        Self::Memory,
    ];

    /// The store of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn parse(text: &str) -> Result<Self, UnknownStore> {
        Self::ALL.into_iter().find(|choice| choice.name() == text).ok_or(UnknownStore)
    }

    /// Its name in the setting.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DurableObject => "durable-object",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
            Self::RedisRest => "redis-rest",
            Self::Postgres => "postgres",
            Self::PlatformKv => "platform-kv",
            Self::Memory => "memory",
        }
    }
}

impl FromStr for StoreChoice {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, UnknownStore> {
        Self::parse(text)
    }
}

impl fmt::Display for UnknownStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = StoreChoice::ALL.map(StoreChoice::name).join(", ");
        write!(f, "is not one of {names}")
    }
}

impl std::error::Error for UnknownStore {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_store_has_a_name_of_its_own() {
        for choice in StoreChoice::ALL {
            assert_eq!(StoreChoice::parse(choice.name()), Ok(choice));
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_names() {
        for text in ["", "Redis", "redis ", "kv", "durable_object", "postgres,redis"] {
            let error = StoreChoice::parse(text).unwrap_err();
            assert!(error.to_string().contains("redis-rest, postgres"), "{error}");
        }
    }
}
