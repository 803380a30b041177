//! The guard before authentication: a filter against floods, which counts in the instance and in the
//! key-value store, and never makes anybody wait for it.

use std::cell::RefCell;
use std::time::Duration;

use http::HeaderName;
use http::request::Parts;
use ports::config::number;
use ports::route::HEALTH_LIVE;
use ports::{Clock as _, Config, ConfigError, Kv};
use spin_sdk::wasip3::spawn;

use super::Spin;
use super::tally::{Tally, key};
use crate::guard;

/// Requests without credentials that one network may send in a minute; 0 turns the guard off.
const SETTING: &str = "GUARD_PER_MINUTE";
const USUAL: u32 = 1000;
/// Where the platform says from which address a connection comes.
const ADDRESS: HeaderName = HeaderName::from_static("spin-client-addr");
/// Two minutes, so that a count outlives its window.
const KEPT: Duration = Duration::from_secs(120);

thread_local! {
    static TALLY: RefCell<Tally> = RefCell::default();
}

/// What the deployment allows.
///
/// # Errors
/// If it is no number.
pub(super) fn limit(config: &impl Config) -> Result<u32, ConfigError> {
    Ok(number(config, SETTING)?.unwrap_or(USUAL))
}

/// Whether there are too many requests of the kind. If the store fails, instances count alone.
pub(super) fn floods(platform: &Spin, parts: &Parts, limit: u32) -> bool {
    // Whoever asks whether the component lives must not take it for dead under a flood.
    if limit == 0 || parts.uri.path() == HEALTH_LIVE {
        return false;
    }
    let header = Config::get(platform, "TRUSTED_PROXY_HEADER");
    let header = header.and_then(|name| name.trim().parse().ok()).unwrap_or(ADDRESS);
    let Some(network) = guard::counted_as(parts, &header) else {
        return false;
    };
    let now = platform.now();
    let verdict = TALLY.with_borrow_mut(|tally| tally.count(&network, now, limit));
    if verdict.sync {
        let platform = platform.clone();
        spawn(async move { sync(&platform, &network).await });
    }
    verdict.refused
}

async fn sync(platform: &Spin, network: &str) {
    let key = key(network);
    let stored = Kv::get(platform, &key).await.unwrap_or_default();
    let now = platform.now();
    let news = TALLY.with_borrow_mut(|tally| tally.merge(network, stored.as_deref(), now));
    if let Some(news) = news {
        // What is not stored is not filtered.
        let _ = platform.put(&key, &news, KEPT).await;
    }
}
