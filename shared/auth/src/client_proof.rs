//! Clients that sign who they are: `private_key_jwt`, RFC 7523 section 3.

use data::clients::ClientRecord;
use ledger::{Command, Once, Outcome, Refusal};
use oauth::client_assertion::Assertion;
use oauth::client_keys::ClientKeys;
use oauth::jwk::PublicKey;
use ports::route::TOKEN;
use ports::{Clock, Fetch, Kv, Ledgers, Millis, Signatures};
use serde_json::Value;

use crate::freshness::MINUTE;
use crate::remote::{self, Kind};
use crate::{Failure, Settings};

const KEYS: Kind = Kind { prefix: "client-keys", longest: 16 * 1024, read };
/// A set without the key of a signature is fetched anew if it is older: the client may have another key
/// by now. That is the least that a set is kept for, so that made-up names of keys cost nothing.
const OLD: Millis = MINUTE;

/// Whether an assertion is the client's, meant for us, in force and used for the first time: 1. claims,
/// 2. signature, 3. use, so that nobody but the client can use one up.
///
/// # Errors
/// [`Failure::Unavailable`] if its keys or its ledger cannot be had; inside, why it is no proof.
pub(crate) async fn check<P: Clock + Fetch + Kv + Ledgers + Signatures>(
    platform: &P,
    settings: &Settings,
    record: &ClientRecord,
    text: &str,
) -> Result<Result<(), &'static str>, Failure> {
    let Some(assertion) = Assertion::parse(text) else { return Ok(Err("no assertion")) };
    if assertion.client_id() != Some(&record.client_id) {
        return Ok(Err("the assertion is another client's"));
    }
    let endpoint = format!("{}{TOKEN}", settings.issuer);
    let once = match assertion.judge(&[&settings.issuer, &endpoint], platform.now()) {
        Ok(once) => once,
        Err(reason) => return Ok(Err(reason)),
    };
    if !is_signed(platform, settings, record, &assertion).await? {
        return Ok(Err("the assertion is not signed by a key of the client"));
    }
    consume(platform, settings, record, once).await
}

async fn is_signed<P: Clock + Fetch + Kv + Signatures>(
    platform: &P,
    settings: &Settings,
    record: &ClientRecord,
    assertion: &Assertion<'_>,
) -> Result<bool, Failure> {
    let header = &assertion.jws.header;
    let chosen = |set: Option<Value>| -> Vec<PublicKey> {
        let keys = set.and_then(|set| ClientKeys::parse(&set).ok());
        let chosen =
            keys.iter().flat_map(|keys| keys.candidates(header.kid.as_deref(), &header.alg));
        chosen.cloned().collect()
    };
    let mut keys = chosen(record.jwks.clone());
    if let Some(url) = &record.jwks_uri {
        let remote = &settings.sql.remote;
        keys = chosen(remote::get(platform, remote, KEYS, url, Millis::MAX).await?);
        if keys.is_empty() {
            keys = chosen(remote::get(platform, remote, KEYS, url, OLD).await?);
        }
    }
    let (input, signature) = (assertion.jws.signing_input.as_bytes(), &assertion.jws.signature);
    for key in keys {
        if platform.verify(&key, input, signature).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn consume(
    platform: &impl Ledgers,
    settings: &Settings,
    record: &ClientRecord,
    once: Once,
) -> Result<Result<(), &'static str>, Failure> {
    let address = settings.client_ledger(&record.client_id);
    let envelope = settings.envelope(Command::Consume { once: vec![once] });
    match platform.execute(&address, &envelope).await? {
        Outcome::Consumed => Ok(Ok(())),
        Outcome::Refused(Refusal::Replayed) => Ok(Err("the assertion was used before")),
        Outcome::Refused(Refusal::Full) => {
            Err(Failure::Unavailable("too many assertions of one client".to_owned()))
        }
        other => Err(Failure::unexpected(&other)),
    }
}

fn read(text: &[u8], _: &str) -> Option<Value> {
    let set = serde_json::from_slice(text).ok()?;
    ClientKeys::parse(&set).ok().map(|_| set)
}
