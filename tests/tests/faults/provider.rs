//! An identity provider whose private key we have, for tokens that the emulator would never issue.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::layout;

/// Node has RSA keys of its own; ours would need a crate that nothing else does.
const SIGNER: &str = r#"
import { createPublicKey, createSign, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
const { pem, kid, tokens } = JSON.parse(readFileSync(0, 'utf8'));
const format = { type: 'pkcs8', format: 'pem' };
const key = pem ?? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(format);
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const sign = (claims) => {
  const text = `${part({ alg: 'RS256', typ: 'JWT', kid })}.${part(claims)}`;
  return `${text}.${createSign('RSA-SHA256').update(text).sign(key, 'base64url')}`;
};
const jwk = { ...createPublicKey(key).export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
console.log(JSON.stringify({ pem: key, jwk, tokens: tokens.map(sign) }));
"#;

/// The `iss` of its tokens.
pub(crate) const ISSUER: &str = "https://provider.example";
/// Our client id there.
pub(crate) const CLIENT: &str = "client_atoms";

/// The provider. Its server ends with the process.
pub(crate) struct Provider {
    /// Where its keys are.
    pub(crate) url: String,
    key: Key,
    published: Arc<Mutex<Vec<Value>>>,
}

/// A private key.
#[derive(Clone)]
pub(crate) struct Key {
    pem: Value,
    kid: String,
    jwk: Value,
}

impl Key {
    /// A new one.
    pub(crate) fn new(kid: &str) -> Result<Self> {
        let made = run(&json!({ "kid": kid, "tokens": [] }))?;
        Ok(Self { pem: made["pem"].clone(), kid: kid.to_owned(), jwk: made["jwk"].clone() })
    }

    /// A signed token.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String> {
        let signed = run(&json!({ "pem": self.pem, "kid": self.kid, "tokens": [claims] }))?;
        Ok(signed["tokens"][0].as_str().context("nothing was signed")?.to_owned())
    }
}

impl Provider {
    /// Make a key and publish it on a free port.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = Key::new("first")?;
        let published = Arc::new(Mutex::new(vec![key.jwk.clone()]));
        let keys = Arc::clone(&published);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
                let body = json!({ "keys": *keys }).to_string();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                // Who asks and for what does not matter; whether they listen, neither.
                let _ = stream.read(&mut [0; 4096]);
                let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            }
        });
        Ok(Self { url, key, published })
    }

    /// Publish another key beside the first.
    pub(crate) fn publish(&self, key: &Key) {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).push(key.jwk.clone());
    }

    /// A token in force for a user and a sign-in of theirs, with other or more claims.
    pub(crate) fn token(&self, user: &str, sign_in: &str, others: &Value) -> Result<String> {
        self.key.sign(&claims(user, sign_in, others))
    }
}

/// The claims of a token in force, but for `others`; a null takes a claim away.
pub(crate) fn claims(user: &str, sign_in: &str, others: &Value) -> Value {
    let now = now();
    let mut claims = json!({
        "iss": ISSUER, "aud": CLIENT, "sub": user, "sid": sign_in, "iat": now, "exp": now + 3600,
    });
    for (name, value) in others.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    if let Some(claims) = claims.as_object_mut() {
        claims.retain(|_, value| !value.is_null());
    }
    claims
}

/// Seconds since the epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn run(input: &Value) -> Result<Value> {
    let mut node = Command::new(layout::npm_program("node"))
        .args(["--input-type=module", "--eval", SIGNER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start node")?;
    node.stdin.take().context("node has no input")?.write_all(input.to_string().as_bytes())?;
    let output = node.wait_with_output()?;
    ensure!(output.status.success(), "node could not sign");
    Ok(serde_json::from_slice(&output.stdout)?)
}
