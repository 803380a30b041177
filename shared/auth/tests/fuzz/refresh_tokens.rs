use ledger::{Address, SessionId};
use oauth::keys::KeyRing;
use oauth::{RefreshToken, base64url};
use proptest::prelude::*;

use crate::fuzz;
use crate::mutation::{mutated, mutations};

const ISSUER: &str = "https://edge.example";

#[test]
fn nothing_but_the_very_refresh_token_is_read() {
    let ring = |text: String| KeyRing::parse(&text).unwrap();
    let key = |byte: u8| base64url(&[byte; 32]);
    let ours = ring(format!("2={},1={}", key(2), key(1)));
    let theirs = ring(format!("2={},1={}", key(4), key(3)));
    let token = |key_id, session: u8, generation, counter| RefreshToken {
        key_id,
        address: Address::from_bytes([session ^ 1; 16]),
        session: SessionId::from_bytes([session; 16]),
        generation,
        counter,
    };
    let tokens = [token(2, 4, 0, 6), token(1, 4, 0, 6), token(2, 5, 1, 7), token(2, 4, 0, 7)];
    let text = |token: &RefreshToken, issuer, ring| token.encode(issuer, ring).unwrap();
    let genuine = tokens.each_ref().map(|token| text(token, ISSUER, &ours));
    let foreign = tokens.iter().flat_map(|token| {
        [text(token, ISSUER, &theirs), text(token, "https://other.example", &ours)]
    });
    let valid: Vec<_> = genuine.iter().cloned().chain(foreign).map(String::into_bytes).collect();
    fuzz(&mutations(), |(which, mutations)| {
        let bytes = mutated(&valid, which, &mutations);
        let text = String::from_utf8_lossy(&bytes);
        let expected = genuine.iter().position(|genuine| *genuine == text);
        let read = RefreshToken::decode(&text, ISSUER, &ours).ok();
        prop_assert_eq!(read, expected.map(|index| tokens[index]));
        Ok(())
    });
}
