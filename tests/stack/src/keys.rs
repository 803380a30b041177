//! Secrets of one run, all random: nothing in a local stack is worth knowing elsewhere.

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use oauth::keys::{Derived, Master};

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

/// A random secret of 256 bits as URL-safe text.
pub(crate) fn secret() -> Result<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// The keys of a new deployment.
pub(crate) fn derived() -> Result<Derived> {
    Ok(Derived::from_masters(&[Master { id: 1, secret: random()? }])?)
}
