//! The state of a call that waits for an answer of the client: it travels to the client and back, so
//! it is signed, ends soon, and is bound to the caller and to everything else that the call says.

use oauth::keys::{KeyRing, equal, mac};
use oauth::{base64url, from_base64url};
use ports::Millis;

const LABEL: &str = "atoms-edge mcp request state";
/// How long people may think about an answer.
const LIFETIME: Millis = 10 * 60 * 1000;
const MAC: usize = 32;
/// The id of the key and the end.
const HEAD: usize = 9;

/// Sign `payload` for a call that is described by `bound`; `None` if there is no key to sign with.
pub(crate) fn seal(keys: &KeyRing, bound: &[&str], payload: &str, now: Millis) -> Option<String> {
    let id = keys.newest();
    let mut sealed = vec![id];
    sealed.extend((now + LIFETIME).to_be_bytes());
    sealed.extend(payload.as_bytes());
    let mac = sign(keys.get(id)?, bound, &sealed);
    sealed.extend(mac);
    Some(base64url(&sealed))
}

/// The payload of a state that [`seal`] has made for the same call, and that has not ended.
pub(crate) fn open(keys: &KeyRing, bound: &[&str], sealed: &str, now: Millis) -> Option<String> {
    let bytes = from_base64url(sealed)?;
    let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
    let (head, payload) = signed.split_at_checked(HEAD)?;
    let (id, end) = head.split_first()?;
    let expected = sign(keys.get(*id)?, bound, signed);
    if !equal(&base64url(&expected), &base64url(mac)) {
        return None;
    }
    let end = Millis::from_be_bytes(end.try_into().ok()?);
    (now < end).then(|| String::from_utf8(payload.to_vec()).ok())?
}

fn sign(key: &oauth::keys::Key, bound: &[&str], signed: &[u8]) -> [u8; MAC] {
    let mut parts: Vec<&[u8]> = bound.iter().map(|part| part.as_bytes()).collect();
    parts.push(signed);
    mac(key, LABEL, &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_800_000_000_000;

    fn ring(text: &str) -> KeyRing {
        KeyRing::parse(text).expect("a ring")
    }

    fn keys() -> KeyRing {
        ring(&format!("2={},1={}", base64url(&[2; 32]), base64url(&[1; 32])))
    }

    #[test]
    fn a_state_comes_back_for_the_same_call_only() {
        let sealed = seal(&keys(), &["ada", "delete"], "round 1", NOW).expect("a state");
        let open = |bound: &[&str], now| open(&keys(), bound, &sealed, now);
        assert_eq!(open(&["ada", "delete"], NOW).as_deref(), Some("round 1"));
        assert_eq!(open(&["ada", "delete"], NOW + LIFETIME - 1).as_deref(), Some("round 1"));
        assert_eq!(open(&["ada", "delete"], NOW + LIFETIME), None);
        for other in [&["bob", "delete"][..], &["ada", "create"], &["ada"], &["adadelete"], &[]] {
            assert_eq!(open(other, NOW), None, "{other:?}");
        }
    }

    #[test]
    fn a_state_that_somebody_has_touched_is_none() {
        let sealed = seal(&keys(), &["ada"], "x", NOW).expect("a state");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(open(&keys(), &["ada"], &changed, NOW), None, "{at}");
        }
        for text in ["", "A", "-TAMPERED", &format!("{sealed}-TAMPERED"), &sealed[1..]] {
            assert_eq!(open(&keys(), &["ada"], text, NOW), None, "{text}");
        }
    }

    #[test]
    fn older_keys_open_what_they_have_sealed() {
        let old = ring(&format!("1={}", base64url(&[1; 32])));
        let sealed = seal(&old, &[], "x", NOW).expect("a state");
        assert_eq!(open(&keys(), &[], &sealed, NOW).as_deref(), Some("x"));
        let newer = seal(&keys(), &[], "x", NOW).expect("a state");
        assert_eq!(open(&old, &[], &newer, NOW), None);
        assert_eq!(seal(&KeyRing::default(), &[], "x", NOW), None);
    }
}
