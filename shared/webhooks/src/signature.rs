use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The keys of an endpoint: one, or several while one replaces another.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Keys in use at one time.
    const MAX: usize = 4;

    /// Of `whsec_` and base64 of 24 to 64 bytes; several are separated by spaces.
    pub fn parse(text: &str) -> Option<Self> {
        let keys: Option<Vec<_>> = text.split_ascii_whitespace().map(key).collect();
        keys.filter(|keys| (1..=Self::MAX).contains(&keys.len())).map(Self)
    }

    /// The value of `webhook-signature`: one signature by each key. `timestamp` is in seconds.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let signatures = self.0.iter().filter_map(|key| {
            // HMAC takes keys of any length.
            let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
            let mac = mac.chain_update(format!("{id}.{timestamp}.")).chain_update(body);
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key(text: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
    Some(key).filter(|key| (24..=64).contains(&key.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the libraries of Standard Webhooks.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: u64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        assert_eq!(Secrets::parse(SECRET).unwrap().sign(ID, AT, BODY), SIGNATURE);
    }

    #[test]
    fn it_covers_the_id_the_time_and_the_body() {
        let secrets = Secrets::parse(SECRET).unwrap();
        assert_ne!(secrets.sign("msg_other", AT, BODY), SIGNATURE);
        assert_ne!(secrets.sign(ID, AT + 1, BODY), SIGNATURE);
        assert_ne!(secrets.sign(ID, AT, br#"{"test": 2432232315}"#), SIGNATURE);
    }

    #[test]
    fn while_a_key_replaces_another_both_sign() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let both = Secrets::parse(&format!("{other} {SECRET}")).unwrap().sign(ID, AT, BODY);
        let own = Secrets::parse(&other).unwrap().sign(ID, AT, BODY);
        assert_eq!(both, format!("{own} {SIGNATURE}"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let coded = |length| format!("whsec_{}", STANDARD.encode(vec![1_u8; length]));
        let five = vec![coded(32); 5].join(" ");
        for text in ["", "whsec_", "whsec_!", &SECRET[6..], &coded(23), &coded(65), &five] {
            assert!(Secrets::parse(text).is_none(), "{text}");
        }
        for length in [24, 32, 64] {
            assert!(Secrets::parse(&coded(length)).is_some(), "{length}");
        }
    }
}
