use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

/// A JWT taken apart without verifying it, to look at it or to forge another from it.
#[derive(Debug, Clone)]
pub struct Jwt {
    /// The first part.
    pub header: Value,
    /// The second part.
    pub claims: Value,
    /// The third part, as text.
    pub signature: String,
}

impl Jwt {
    /// Take a token apart.
    ///
    /// # Errors
    /// If it is no JWT.
    pub fn read(token: &str) -> Result<Self> {
        let mut parts = token.split('.');
        let mut next = || parts.next().context("not a JWT: a part is missing");
        let (header, claims, signature) = (next()?, next()?, next()?);
        Ok(Self {
            header: decoded(header)?,
            claims: decoded(claims)?,
            signature: signature.to_owned(),
        })
    }

    /// The token's text, with the signature it came with.
    pub fn text(&self) -> String {
        format!("{}.{}.{}", encoded(&self.header), encoded(&self.claims), self.signature)
    }
}

/// The claims of a token.
///
/// # Errors
/// If it is no JWT.
pub fn claims(token: &str) -> Result<Value> {
    Ok(Jwt::read(token)?.claims)
}

fn decoded(part: &str) -> Result<Value> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok().context("not a JWT: no base64url")?;
    serde_json::from_slice(&bytes).context("not a JWT: no JSON")
}

fn encoded(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}
