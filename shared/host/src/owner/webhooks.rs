//! What all ledgers of an instance share to deliver what they tell.

use std::cell::OnceCell;
use std::rc::Rc;

use breaker::Breakers;
use ports::{Config, ConfigError};
use webhooks::Settings;

/// What all ledgers of an instance share.
pub struct Shared {
    /// Who is told.
    pub settings: Result<Settings, ConfigError>,
    /// Of the webhooks, and of Postgres.
    pub breakers: Breakers,
}

thread_local! {
    static SHARED: OnceCell<Rc<Shared>> = const { OnceCell::new() };
}

/// Whether announcements could be delivered. A deployment that could not is not served.
///
/// # Errors
/// The setting that is wrong.
pub fn ready(config: &impl Config) -> Result<(), ConfigError> {
    shared(config).settings.as_ref().map(drop).map_err(|error| *error)
}

/// What all ledgers of this instance share.
pub fn shared(config: &impl Config) -> Rc<Shared> {
    let make = || {
        let settings = Settings::load(config);
        Rc::new(Shared { settings, breakers: Breakers::default() })
    };
    SHARED.with(|shared| Rc::clone(shared.get_or_init(make)))
}
