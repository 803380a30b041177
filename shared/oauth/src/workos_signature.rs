//! The signature of a WorkOS webhook: `WorkOS-Signature: t=<time>, v1=<hex>`, where the hex digits are
//! HMAC-SHA256 of `<time>.<body>` under the secret of the webhook's endpoint.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use ledger::Millis;

/// An event that is older, or further ahead, than this is refused: who recorded one cannot replay it
/// later. WorkOS signs anew when it delivers again.
pub const TOLERANCE: Millis = 5 * 60 * 1000;

/// Times below this are seconds (which it is until the year 5138), others milliseconds (since 1973):
/// WorkOS sends milliseconds, its emulator seconds.
const SECONDS_BELOW: u64 = 100_000_000_000;

/// Why an event is not taken for one of WorkOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// There is no signature, or it has another form.
    #[error("no signature")]
    Malformed,
    /// It is not by the secret over this body.
    #[error("wrong signature")]
    Wrong,
    /// It is genuine, and not of our time.
    #[error("signed too long ago, or ahead of time")]
    NotNow,
}

/// Checks the signature in constant time, and then its time.
///
/// # Errors
/// The first check that fails.
pub fn verify(
    secret: &str,
    header: Option<&str>,
    body: &[u8],
    now: Millis,
) -> Result<(), InvalidSignature> {
    let header = header.ok_or(InvalidSignature::Malformed)?;
    let (time, signature) = parse(header).ok_or(InvalidSignature::Malformed)?;
    mac(secret, time, body)
        .and_then(|mac| mac.verify_slice(&signature).ok())
        .ok_or(InvalidSignature::Wrong)?;
    let signed_at: u64 = time.parse().map_err(|_| InvalidSignature::Malformed)?;
    let signed_at =
        if signed_at < SECONDS_BELOW { signed_at.saturating_mul(1000) } else { signed_at };
    if now.abs_diff(signed_at) > TOLERANCE { Err(InvalidSignature::NotNow) } else { Ok(()) }
}

/// The header that WorkOS would send: for whoever stands in for it, such as a test.
pub fn sign(secret: &str, time: Millis, body: &[u8]) -> String {
    let mac = mac(secret, &time.to_string(), body).map(|mac| mac.finalize().into_bytes());
    let hex: String = mac.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time}, v1={hex}")
}

fn parse(header: &str) -> Option<(&str, Vec<u8>)> {
    let member = |name: &str| {
        let mut members = header.split(',').map(str::trim);
        members.find_map(|member| member.strip_prefix(name)?.strip_prefix('='))
    };
    Some((member("t")?, from_hex(member("v1")?)?))
}

fn mac(secret: &str, time: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_780_000_000_000;
    const BODY: &[u8] = br#"{"event":"session.revoked"}"#;

    fn judged(header: &str) -> Result<(), InvalidSignature> {
        verify("secret", Some(header), BODY, NOW)
    }

    #[test]
    fn the_signature_is_the_one_that_others_compute() {
        // printf '1780000000000.{"event":"session.revoked"}' | openssl dgst -sha256 -hmac secret
        let known = "925b92b13f81ea18e331dad6692817990d5477aef828c6c33c5b545d0506cd37";
        assert_eq!(sign("secret", NOW, BODY), format!("t={NOW}, v1={known}"));
    }

    #[test]
    fn a_genuine_event_of_our_time_passes_in_either_unit_and_spacing() {
        let good = sign("secret", NOW, BODY);
        assert_eq!(judged(&good), Ok(()));
        assert_eq!(judged(&good.replace(", ", ",")), Ok(()));
        assert_eq!(judged(&sign("secret", NOW / 1000, BODY)), Ok(()));
        assert_eq!(judged(&sign("secret", NOW - TOLERANCE, BODY)), Ok(()));
        assert_eq!(judged(&sign("secret", NOW + TOLERANCE, BODY)), Ok(()));
    }

    #[test]
    fn an_event_of_another_time_is_refused() {
        for time in [0, 1, NOW - TOLERANCE - 1, NOW + TOLERANCE + 1, NOW / 1000 - 301, u64::MAX] {
            let outcome = judged(&sign("secret", time, BODY));
            assert_eq!(outcome, Err(InvalidSignature::NotNow), "{time}");
        }
    }

    #[test]
    fn what_was_changed_is_refused() {
        let good = sign("secret", NOW, BODY);
        let wrong = Err(InvalidSignature::Wrong);
        assert_eq!(judged(&sign("Secret", NOW, BODY)), wrong);
        assert_eq!(judged(&sign("secret", NOW, b"{}")), wrong);
        assert_eq!(judged(&good.replace(&NOW.to_string(), &(NOW + 1).to_string())), wrong);
        assert_eq!(judged(&good[..good.len() - 2]), wrong);
        let (start, end) = good.split_at(good.len() - 1);
        let other = if end == "0" { "1" } else { "0" };
        assert_eq!(judged(&format!("{start}{other}")), wrong);
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        assert_eq!(verify("secret", None, BODY, NOW), Err(InvalidSignature::Malformed));
        for text in ["", "t=1", "v1=00", "t=1,v1=0", "t=1,v1=zz", "t=1,v1=é", "t=1;v1=00"] {
            assert_eq!(judged(text), Err(InvalidSignature::Malformed), "{text}");
        }
    }
}
