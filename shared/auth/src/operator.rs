//! Operators of the deployment, who act for other people by a credential of their own.

use oauth::keys;
use ports::config::parsed;
use ports::{Config, ConfigError};

/// What a credential begins with, so that it is told apart from tokens.
pub const PREFIX: &str = "op_";
/// The longest name.
const MAX_NAME: usize = 64;

/// The operators that are known, by name and the digest of their credential. One name may stand there
/// twice, while its credential is being replaced. Without the setting there are none.
#[derive(Default)]
pub struct Operators(Vec<(String, String)>);

impl Operators {
    /// From `OPERATOR_KEY_HASHES`: `name=digest,…`, as `cargo xtask secrets --operator` prints them.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let setting = "OPERATOR_KEY_HASHES";
        if config.get(setting).is_none() {
            return Ok(Self::default());
        }
        parsed(config, setting, "must be name=digest,… with digests in base64url", parse).map(Self)
    }

    /// The name of the operator whose credential it is.
    pub fn recognise(&self, credential: &str) -> Option<&str> {
        let hash = keys::hash_operator_key(credential);
        // All are compared, so that time does not tell which one matched.
        self.0.iter().fold(None, |found, (name, known)| {
            if keys::equal(known, &hash) { Some(name.as_str()) } else { found }
        })
    }
}

fn parse(text: &str) -> Result<Vec<(String, String)>, ()> {
    let entries = text.split(',').map(|entry| {
        let (name, hash) = entry.trim().split_once('=').ok_or(())?;
        let legible = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
        let named = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(legible);
        if !named || keys::parse_key(hash).is_err() {
            return Err(());
        }
        Ok((name.to_owned(), hash.to_owned()))
    });
    entries.collect()
}
