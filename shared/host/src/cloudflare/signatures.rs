use std::cell::RefCell;
use std::collections::BTreeMap;

use oauth::base64url;
use ports::{PrivateKey, PublicKey, SignatureError, Signatures};
use worker::js_sys::{self, Array, Object, Reflect, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

use super::Cloudflare;

/// WebCrypto: native code, where elliptic curves in wasm cost a few hundred microseconds.
impl Signatures for Cloudflare {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, SignatureError> {
        // A signature of another length is wrong; workerd would call it an error.
        let length = match key {
            PublicKey::Ed25519(_) | PublicKey::P256(_) => 64,
            PublicKey::Rsa { modulus, .. } => modulus.len(),
        };
        if signature.len() != length {
            return Ok(false);
        }
        let handle = match (imported(key).await, key) {
            (Ok(handle), _) => handle,
            // A point is looked at when it is imported.
            (Err(_), PublicKey::P256(_)) => return Ok(false),
            (Err(error), _) => return Err(failed(error)),
        };
        let answer = async {
            let algorithm = match key {
                PublicKey::P256(_) => object(&[("name", "ECDSA"), ("hash", "SHA-256")])?,
                PublicKey::Ed25519(_) | PublicKey::Rsa { .. } => algorithm_of(&handle)?,
            };
            let (message, signature) = (Uint8Array::from(message), Uint8Array::from(signature));
            call("verify", &[algorithm, handle, signature.into(), message.into()]).await
        };
        answer.await.map(|valid| valid.is_truthy()).map_err(failed)
    }

    async fn sign(&self, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let answer = async {
            let key = signing(key).await?;
            let arguments = [algorithm_of(&key)?, key, Uint8Array::from(message).into()];
            call("sign", &arguments).await
        };
        answer.await.map(|bytes| Uint8Array::new(&bytes).to_vec()).map_err(failed)
    }
}

/// Imported keys are kept: a deployment has a handful. More than this are not ours, and what a
/// provider may publish, or clients bring, must not fill the memory.
const MAX_KEPT: usize = 32;

thread_local! {
    static VERIFYING: RefCell<BTreeMap<PublicKey, JsValue>> = const { RefCell::new(BTreeMap::new()) };
    static SIGNING: RefCell<Option<([u8; 32], JsValue)>> = const { RefCell::new(None) };
}

async fn imported(key: &PublicKey) -> Result<JsValue, JsValue> {
    if let Some(kept) = VERIFYING.with_borrow(|kept| kept.get(key).cloned()) {
        return Ok(kept);
    }
    let (jwk, algorithm) = match key {
        PublicKey::Ed25519(x) => {
            let jwk = object(&[("kty", "OKP"), ("crv", "Ed25519"), ("x", &base64url(x))])?;
            (jwk, object(&[("name", "Ed25519")])?)
        }
        PublicKey::P256(point) => {
            let (x, y) = point.split_at(32);
            let (x, y) = (base64url(x), base64url(y));
            let jwk = object(&[("kty", "EC"), ("crv", "P-256"), ("x", &x), ("y", &y)])?;
            (jwk, object(&[("name", "ECDSA"), ("namedCurve", "P-256")])?)
        }
        PublicKey::Rsa { modulus, exponent } => {
            let (n, e) = (base64url(modulus), base64url(exponent));
            let jwk = object(&[("kty", "RSA"), ("n", &n), ("e", &e)])?;
            (jwk, object(&[("name", "RSASSA-PKCS1-v1_5"), ("hash", "SHA-256")])?)
        }
    };
    let imported = import(jwk, algorithm, "verify").await?;
    VERIFYING.with_borrow_mut(|kept| {
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(key.clone(), imported.clone());
    });
    Ok(imported)
}

async fn signing(key: &PrivateKey) -> Result<JsValue, JsValue> {
    let kept = SIGNING.with_borrow(|kept| kept.clone().filter(|(public, _)| *public == key.public));
    if let Some((_, kept)) = kept {
        return Ok(kept);
    }
    let (d, x) = (base64url(&key.seed), base64url(&key.public));
    let jwk = object(&[("kty", "OKP"), ("crv", "Ed25519"), ("d", &d), ("x", &x)])?;
    let imported = import(jwk, object(&[("name", "Ed25519")])?, "sign").await?;
    SIGNING.with_borrow_mut(|kept| *kept = Some((key.public, imported.clone())));
    Ok(imported)
}

async fn import(jwk: JsValue, algorithm: JsValue, usage: &str) -> Result<JsValue, JsValue> {
    let usages = Array::of1(&usage.into()).into();
    call("importKey", &["jwk".into(), jwk, algorithm, JsValue::FALSE, usages]).await
}

/// A key knows its algorithm.
fn algorithm_of(key: &JsValue) -> Result<JsValue, JsValue> {
    Reflect::get(key, &"algorithm".into())
}

/// A method of `crypto.subtle`.
async fn call(method: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into())?;
    let subtle = Reflect::get(&crypto, &"subtle".into())?;
    let method: js_sys::Function = Reflect::get(&subtle, &method.into())?.dyn_into()?;
    let arguments: Array = arguments.iter().collect();
    let promise: js_sys::Promise = method.apply(&subtle, &arguments)?.dyn_into()?;
    JsFuture::from(promise).await
}

fn object(members: &[(&str, &str)]) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &(*name).into(), &(*value).into())?;
    }
    Ok(object.into())
}

fn failed(error: JsValue) -> SignatureError {
    SignatureError(worker::Error::from(error).to_string())
}
