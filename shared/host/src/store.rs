//! Which store a deployment has chosen for its ledgers.

use ports::config::{parsed, required};
use ports::{Config, ConfigError};
use stores::{RedisRest, StoreChoice};

/// Names where the deployment keeps its ledgers. There is no default and no fallback: the stores
/// do not promise the same.
pub const LEDGER_STORE: &str = "LEDGER_STORE";

/// Where Redis is, with `LEDGER_STORE=redis`.
pub const REDIS_URL: &str = "REDIS_URL";

/// The stores that Workers offer.
pub const ON_WORKERS: [StoreChoice; 4] = [
    StoreChoice::DurableObject,
    StoreChoice::RedisRest,
    StoreChoice::Postgres,
    StoreChoice::PlatformKv,
];

/// The stores that Spin offers.
pub const ON_SPIN: [StoreChoice; 5] = [
    StoreChoice::Sqlite,
    StoreChoice::Redis,
    StoreChoice::RedisRest,
    StoreChoice::Postgres,
    StoreChoice::PlatformKv,
];

/// The store that [`LEDGER_STORE`] names on Workers.
///
/// # Errors
/// If it is missing, names none, or names one that Workers do not offer.
pub fn on_workers(config: &impl Config) -> Result<StoreChoice, ConfigError> {
    let problem = "must be durable-object, redis-rest, postgres or platform-kv here";
    among(config, &ON_WORKERS, problem)
}

/// The store that [`LEDGER_STORE`] names on Spin.
///
/// # Errors
/// If it is missing, names none, or names one that Spin does not offer.
pub fn on_spin(config: &impl Config) -> Result<StoreChoice, ConfigError> {
    among(config, &ON_SPIN, "must be sqlite, redis, redis-rest, postgres or platform-kv here")
}

fn among(
    config: &impl Config,
    offered: &[StoreChoice],
    problem: &'static str,
) -> Result<StoreChoice, ConfigError> {
    let choice = StoreChoice::parse(&required(config, LEDGER_STORE)?).ok();
    let choice = choice.filter(|choice| offered.contains(choice));
    choice.ok_or(ConfigError { setting: LEDGER_STORE, problem })
}

/// Checks what the owner of the ledgers needs besides, to reach the chosen store.
///
/// # Errors
/// The first setting that is missing or malformed.
pub fn check(
    config: &impl Config,
    choice: Result<StoreChoice, ConfigError>,
) -> Result<(), ConfigError> {
    match choice? {
        StoreChoice::RedisRest => RedisRest::configured(config).map(drop),
        StoreChoice::Redis => redis_url(config).map(drop),
        // Postgres is where the rest of the data is.
        _ => Ok(()),
    }
}

/// Where Redis is that is spoken to directly.
///
/// # Errors
/// If it is missing, or no address of Redis.
pub fn redis_url(config: &impl Config) -> Result<String, ConfigError> {
    let problem = "must be redis://host:port or rediss://host:port";
    parsed(config, REDIS_URL, problem, |text| {
        let known = text.starts_with("redis://") || text.starts_with("rediss://");
        if known { Ok(text.to_owned()) } else { Err(()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(Option<&'static str>);

    impl Config for One {
        fn get(&self, name: &str) -> Option<String> {
            assert_eq!(name, LEDGER_STORE);
            self.0.map(str::to_owned)
        }
    }

    #[test]
    fn a_store_is_chosen_by_name_only() {
        for choice in StoreChoice::ALL {
            let config = One(Some(choice.name()));
            for (chosen, offered) in
                [(on_workers(&config), ON_WORKERS.as_slice()), (on_spin(&config), &ON_SPIN)]
            {
                let offered = offered.contains(&choice);
                assert_eq!(chosen.ok(), Some(choice).filter(|_| offered), "{}", choice.name());
            }
        }
        for wrong in [None, Some("redis-cluster"), Some("Postgres")] {
            for chosen in [on_workers(&One(wrong)), on_spin(&One(wrong))] {
                assert_eq!(chosen.unwrap_err().setting, LEDGER_STORE);
            }
        }
    }

    #[test]
    fn the_problem_names_what_is_offered() {
        let config = One(Some("x"));
        for (chosen, offered) in
            [(on_workers(&config), ON_WORKERS.as_slice()), (on_spin(&config), &ON_SPIN)]
        {
            let problem = chosen.unwrap_err().problem;
            for choice in offered {
                assert!(problem.contains(choice.name()), "{}", choice.name());
            }
        }
    }
}
