use std::cell::Cell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::{Either, join_all, select};
use ports::{
    Clock, Config, ConfigError, Log, Millis, PrivateKey, PublicKey, Publisher, Random,
    SignatureError, Signatures, Timer,
};
use spin_sdk::{time, variables};

use crate::settings::NAMES;

/// The Spin platform behind one instance. A clone is the same. `K` tells owners of ledgers of one kind of
/// store from those of the other.
pub struct Spin<K = ()> {
    settings: Rc<BTreeMap<&'static str, String>>,
    fault: Rc<Cell<Option<ConfigError>>>,
    kind: PhantomData<K>,
}

impl<K> Clone for Spin<K> {
    fn clone(&self) -> Self {
        let (settings, fault) = (Rc::clone(&self.settings), Rc::clone(&self.fault));
        Self { settings, fault, kind: PhantomData }
    }
}

impl<K> Spin<K> {
    /// With the settings, which the platform tells asynchronously and only by their names.
    pub(super) async fn load() -> Self {
        let values = join_all(NAMES.iter().map(|name| variables::get(name.to_ascii_lowercase())));
        let (mut settings, fault) = (BTreeMap::new(), Cell::new(None));
        for (name, value) in NAMES.iter().copied().zip(values.await) {
            match value {
                Ok(value) if value.is_empty() => {}
                Ok(value) => drop(settings.insert(name, value)),
                // The component is not given it.
                Err(variables::Error::Undefined(_) | variables::Error::InvalidName(_)) => {}
                Err(variables::Error::Provider(_) | variables::Error::Other(_)) => {
                    let problem = "cannot be read from its provider";
                    fault.set(Some(ConfigError { setting: name, problem }));
                }
            }
        }
        Self { settings: Rc::new(settings), fault: Rc::new(fault), kind: PhantomData }
    }

    /// What the platform has refused, which is known when it is first tried.
    pub(super) fn fault(&self) -> Rc<Cell<Option<ConfigError>>> {
        Rc::clone(&self.fault)
    }

    /// The platform refuses what a setting asks for, and will go on refusing it.
    pub(super) fn refused(&self, setting: &'static str, problem: &'static str) {
        self.fault.set(Some(ConfigError { setting, problem }));
    }
}

impl<K> Clock for Spin<K> {
    fn now(&self) -> Millis {
        #[expect(clippy::disallowed_methods, reason = "this is the Clock port's adapter")]
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX)
    }
}

impl<K> Timer for Spin<K> {
    async fn sleep(&self, duration: Duration) {
        time::sleep(duration).await;
    }
}

/// The outcome, or `None` if it takes longer than `limit`.
pub(super) async fn within<T>(limit: Duration, attempt: impl Future<Output = T>) -> Option<T> {
    match select(pin!(attempt), pin!(time::sleep(limit))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    }
}

impl<K> Random for Spin<K> {
    fn fill(&self, out: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "this is the Random port's adapter")]
        let filled = getrandom::fill(out);
        #[expect(clippy::expect_used, reason = "without randomness nothing here may go on")]
        filled.expect("the platform's randomness");
    }
}

impl<K> Config for Spin<K> {
    fn get(&self, name: &str) -> Option<String> {
        self.settings.get(name).cloned()
    }
}

impl<K> Log for Spin<K> {
    fn line(&self, line: &str) {
        println!("{line}");
    }
}

/// The platform has no cryptography of its own.
impl<K> Signatures for Spin<K> {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, SignatureError> {
        Ok(oauth::software::verify(key, message, signature))
    }

    async fn sign(&self, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(oauth::software::sign(key, message))
    }
}

/// Nobody publishes revocations here: edge introspection is refused with the stores that there are.
impl<K> Publisher for Spin<K> {
    async fn poke(&self, _shard: u8) {}
}
