//! The internal MAC: how our own functions recognise our own access tokens in microseconds.
//!
//! A token carries, in the private header parameter `amac`, one MAC for each of its audiences:
//! HMAC-SHA256, cut to 128 bits, over label, algorithm, key name, type and encoded payload. The key is
//! of the audience, so a function that serves one audience can check, and at worst forge, tokens for
//! that audience alone. For everybody else the parameter is noise and the signature decides.

use subtle::ConstantTimeEq;

use crate::from_base64url;
use crate::jws::Jws;
use crate::keys::{Key, KeyRing, mac};
use crate::resource::Resources;
use crate::{access_token::Audience, base64url};

const LENGTH: usize = 16;

/// The keys that a function holds: of one audience, of both, or none.
#[derive(Clone, Default)]
pub struct InternalKeys {
    /// Of the issuer as an audience.
    pub issuer: Option<KeyRing>,
    /// Of the MCP endpoint as an audience.
    pub mcp: Option<KeyRing>,
}

/// What the MACs of a token say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All that were asked for are there and right: the token is ours.
    Genuine,
    /// One is there, under a key that we know, and wrong: the token is forged.
    Forged,
    /// One is missing, or of a key that we do not know: the signature must decide.
    Unknown,
}

/// The MACs of a token, for its header.
pub fn macs(
    keys: &InternalKeys,
    resources: &Resources,
    audience: &Audience,
    header: [&str; 3],
    encoded_payload: &str,
) -> Vec<String> {
    let tags = tags(resources).into_iter().filter(|(resource, _)| audience.contains(resource));
    tags.filter_map(|(_, tag)| {
        let ring = ring(keys, tag)?;
        let id = ring.newest();
        let mac = compute(ring.get(id)?, tag, header, encoded_payload);
        Some(format!("{tag}.{id}.{}", base64url(&mac)))
    })
    .collect()
}

/// What the MACs say of a token for the audiences that matter to the caller.
pub fn verdict<'a>(
    keys: &InternalKeys,
    resources: &Resources,
    jws: &Jws<'_>,
    audiences: impl IntoIterator<Item = &'a str>,
) -> Verdict {
    let mut asked = 0;
    for audience in audiences {
        asked += 1;
        let tag = tags(resources).into_iter().find(|(resource, _)| *resource == audience);
        let Some((_, tag)) = tag else { return Verdict::Unknown };
        match one(keys, tag, jws) {
            Some(true) => {}
            Some(false) => return Verdict::Forged,
            None => return Verdict::Unknown,
        }
    }
    if asked == 0 { Verdict::Unknown } else { Verdict::Genuine }
}

/// Whether the MAC of one audience is right; `None` if there is none that we could judge.
fn one(keys: &InternalKeys, tag: &str, jws: &Jws<'_>) -> Option<bool> {
    let entries = jws.header.amac.iter();
    let (id, mac) = entries
        .filter_map(|entry| entry.strip_prefix(tag)?.strip_prefix('.'))
        .next()?
        .split_once('.')?;
    let key = ring(keys, tag)?.get(id.parse().ok()?)?;
    let header = [jws.header.alg.as_str(), jws.header.kid.as_deref()?, jws.header.typ.as_deref()?];
    let expected = compute(key, tag, header, jws.encoded_payload);
    Some(from_base64url(mac).is_some_and(|mac| expected.ct_eq(&mac).into()))
}

fn compute(key: &Key, tag: &str, header: [&str; 3], encoded_payload: &str) -> [u8; LENGTH] {
    let [alg, kid, typ] = header.map(str::as_bytes);
    let parts = [tag.as_bytes(), alg, kid, typ, encoded_payload.as_bytes()];
    let mut cut = [0; LENGTH];
    cut.copy_from_slice(&mac(key, "atoms-edge internal mac", &parts)[..LENGTH]);
    cut
}

/// The audiences and what they are called in the header.
fn tags(resources: &Resources) -> [(&str, &'static str); 2] {
    [(resources.issuer(), "i"), (resources.mcp(), "m")]
}

fn ring<'k>(keys: &'k InternalKeys, tag: &str) -> Option<&'k KeyRing> {
    if tag == "i" { keys.issuer.as_ref() } else { keys.mcp.as_ref() }
}
