//! Which store a deployment has chosen for its ledgers.

use ports::config::required;
use ports::{Config, ConfigError};
use stores::{RedisRest, StoreChoice};

/// Names where the deployment keeps its ledgers. There is no default and no fallback: the stores
/// do not promise the same.
pub const LEDGER_STORE: &str = "LEDGER_STORE";

/// The stores that Workers offer.
pub const ON_WORKERS: [StoreChoice; 4] = [
    StoreChoice::DurableObject,
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
    let choice = StoreChoice::parse(&required(config, LEDGER_STORE)?);
    choice
        .ok()
        .filter(|choice| ON_WORKERS.contains(choice))
        .ok_or(ConfigError { setting: LEDGER_STORE, problem })
}

/// Checks what the owner of the ledgers needs besides, to reach the chosen store.
///
/// # Errors
/// The first setting that is missing or malformed.
pub fn check(config: &impl Config) -> Result<(), ConfigError> {
    match on_workers(config)? {
        StoreChoice::RedisRest => RedisRest::configured(config).map(drop),
        // Postgres is where the rest of the data is.
        _ => Ok(()),
    }
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
            let offered = ON_WORKERS.contains(&choice);
            let chosen = on_workers(&One(Some(choice.name())));
            assert_eq!(chosen.ok(), Some(choice).filter(|_| offered), "{}", choice.name());
        }
        for wrong in [None, Some("redis-cluster"), Some("Postgres")] {
            let error = on_workers(&One(wrong)).unwrap_err();
            assert_eq!(error.setting, LEDGER_STORE);
        }
    }

    #[test]
    fn the_problem_names_what_is_offered() {
        let error = on_workers(&One(Some("x"))).unwrap_err();
        for choice in ON_WORKERS {
            assert!(error.problem.contains(choice.name()), "{}", choice.name());
        }
    }
}
