use auth::proof::{Nonces, check};
use auth::settings::Settings;
use futures::executor::block_on;
use ports::Request;
use proptest::prelude::*;
use testing::{NOW, ProofKey, World, proof_claims};

use crate::fuzz;
use crate::mutation::{mutated, mutations};

const URL: &str = "https://edge.example/oauth/token";

#[test]
fn nothing_but_the_very_proof_is_taken_by_its_key() {
    let world = World::new();
    let settings = Settings::load(&world.platform).unwrap();
    let nonces = Nonces::load(&world.platform).unwrap();
    let nonce = nonces.current(NOW).unwrap();
    let keys = [ProofKey::es256(1), ProofKey::es256(2), ProofKey::eddsa(1)];
    let proofs: Vec<_> = keys
        .iter()
        .map(|key| (key.proof(&proof_claims("POST", URL, NOW, &nonce)), key.thumbprint()))
        .collect();
    let valid: Vec<_> = proofs.iter().map(|(text, _)| text.clone().into_bytes()).collect();
    fuzz(&mutations(), |(which, mutations)| {
        let bytes = mutated(&valid, which, &mutations);
        let Ok(value) = http::HeaderValue::from_bytes(&bytes) else { return Ok(()) };
        let mut request = Request::default();
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = "/oauth/token".parse().unwrap();
        request.headers_mut().insert("dpop", value);
        let proved = block_on(check(&world.platform, &settings, &nonces, &request, None));
        let genuine = proofs.iter().find(|(text, _)| text.as_bytes() == bytes);
        let key = proved.ok().flatten().map(|proved| proved.key);
        prop_assert_eq!(key.as_ref(), genuine.map(|(_, key)| key));
        Ok(())
    });
}
