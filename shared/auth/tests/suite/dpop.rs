//! Tokens that are bound to a key, at the token endpoint: RFC 9449 sections 5, 8 and 11.

use auth::{Failure, proof};
use futures::executor::block_on;
use futures::future::join_all;
use http::HeaderName;
use http::header::{HOST, HeaderValue};
use ports::{Clock as _, Place, Request};
use serde_json::{Value, json};
use testing::{NOW, ProofKey, proof_claims};

use crate::support::{Edge, Issued, MINUTE, SECOND, form, subject, word};

const TOKEN_URL: &str = "https://edge.example/oauth/token";

/// Who holds a key.
pub(crate) struct Holder<'e> {
    pub(crate) edge: &'e Edge,
    pub(crate) key: ProofKey,
}

impl<'e> Holder<'e> {
    pub(crate) fn of(edge: &'e Edge, number: u8) -> Self {
        Self { edge, key: ProofKey::es256(number) }
    }

    pub(crate) fn nonce(&self) -> String {
        self.edge.resource.nonces.current(self.edge.world.platform.now()).unwrap()
    }

    /// The claims of a proof that is good now.
    pub(crate) fn claims(&self, method: &str, url: &str) -> Value {
        proof_claims(method, url, self.edge.world.platform.now(), &self.nonce())
    }

    /// From now on, calls come with this header.
    pub(crate) fn come_with(&self, proof: &str) {
        self.edge.come_from(&[("dpop", proof)], Place::default());
    }

    /// From now on, they come with a proof that is good once.
    pub(crate) fn come(&self) {
        self.come_with(&self.key.proof(&self.claims("POST", TOKEN_URL)));
    }

    /// A session that is bound to the key.
    pub(crate) fn sign_in_at(&self, client_id: &str, user: &str) -> Issued {
        self.come();
        let issued = self.edge.sign_in_at(client_id, user);
        self.edge.come_from(&[], Place::default());
        issued
    }

    pub(crate) fn sign_in(&self, user: &str) -> Issued {
        self.sign_in_at("atoms-cli", user)
    }

    fn refresh(&self, issued: &Issued) -> Result<Issued, Failure> {
        self.come();
        let refreshed = self.edge.refresh("atoms-cli", issued.refresh());
        self.edge.come_from(&[], Place::default());
        refreshed
    }

    /// What becomes of a refresh with a proof of these claims.
    fn judged(&self, issued: &Issued, claims: &Value) -> &'static str {
        self.refused_with(issued, &self.key.proof(claims))
    }

    fn refused_with(&self, issued: &Issued, proof: &str) -> &'static str {
        self.come_with(proof);
        let refused = word(self.edge.refresh("atoms-cli", issued.refresh()));
        self.edge.come_from(&[], Place::default());
        refused
    }
}

/// The claims with another value of one.
pub(crate) fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[test]
fn f17_tokens_of_a_proved_key_are_bound_to_it() {
    let edge = Edge::new();
    for key in [ProofKey::es256(1), ProofKey::eddsa(1)] {
        let holder = Holder { edge: &edge, key };
        let bound = holder.sign_in("ada");
        assert_eq!(bound.tokens.token_type, "DPoP");
        let claims = edge.claims(bound.access());
        assert_eq!(claims.cnf.map(|cnf| cnf.jkt), Some(holder.key.thumbprint()));
        let refreshed = holder.refresh(&bound).unwrap();
        assert_eq!(refreshed.tokens.token_type, "DPoP");
        assert_eq!(edge.claims(refreshed.access()).cnf.unwrap().jkt, holder.key.thumbprint());
    }
    let unbound = edge.sign_in("bob");
    assert_eq!(unbound.tokens.token_type, "Bearer");
    assert_eq!(edge.claims(unbound.access()).cnf, None);
}

#[test]
fn f17_a_refresh_token_is_for_its_key_alone_of_whatever_kind_the_client_is() {
    let edge = Edge::new();
    let (own, thief) = (Holder::of(&edge, 1), Holder::of(&edge, 2));
    for client in ["atoms-cli", "atoms-service"] {
        let bound = own.sign_in_at(client, "ada");
        let refresh = |holder: Option<&Holder<'_>>| {
            holder.inspect(|holder| holder.come());
            let refreshed = edge.refresh(client, bound.refresh());
            edge.come_from(&[], Place::default());
            refreshed
        };
        assert_eq!(word(refresh(None)), "invalid_grant", "without a proof");
        assert_eq!(word(refresh(Some(&thief))), "invalid_grant", "with another key");
        let refreshed = refresh(Some(&own)).unwrap();
        assert!(!refreshed.repeated, "and nothing was consumed");
    }
}

#[test]
fn f17_a_session_without_a_key_does_not_get_one() {
    let edge = Edge::new();
    let unbound = edge.sign_in("ada");
    let thief = Holder::of(&edge, 2);
    assert_eq!(word(thief.refresh(&unbound)), "invalid_grant");
    assert!(edge.refresh("atoms-cli", unbound.refresh()).is_ok());
}

#[test]
fn f13_another_key_within_the_grace_gets_nothing_and_the_family_lives() {
    let edge = Edge::new();
    let (own, thief) = (Holder::of(&edge, 1), Holder::of(&edge, 2));
    let first = own.sign_in("ada");
    let second = own.refresh(&first).unwrap();
    edge.world.platform.advance(MINUTE);
    assert_eq!(word(thief.refresh(&first)), "invalid_grant");
    assert_eq!(word(edge.refresh("atoms-cli", first.refresh())), "invalid_grant");
    let replayed = own.refresh(&first).unwrap();
    assert_eq!((replayed.both(), replayed.repeated), (second.both(), true));
    assert!(own.refresh(&second).is_ok());
}

#[test]
fn f13_a_proof_is_good_once_and_of_many_copies_one_is() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let bound = holder.sign_in("ada");
    let proof = holder.key.proof(&holder.claims("POST", TOKEN_URL));
    holder.come_with(&proof);
    let (record, form) = (edge.record("atoms-cli"), form(&[("refresh_token", bound.refresh())]));
    let attempts = join_all((0..50).map(|_| edge.refresh_as(&record, &form)));
    let (good, bad): (Vec<_>, Vec<_>) = block_on(attempts).into_iter().partition(Result::is_ok);
    assert_eq!(good.len(), 1);
    assert!(bad.into_iter().all(|refused| word(refused) == "invalid_dpop_proof"));
    let issued = good.into_iter().next().unwrap().unwrap();
    assert!(holder.refresh(&issued).is_ok(), "the session lives");
    // Nor is it good for another grant of the same person.
    holder.come_with(&proof);
    let token = edge.world.authkit("ada", "another sign-in");
    assert_eq!(word(edge.exchange("atoms-cli", &token, &[])), "invalid_dpop_proof");
}

#[test]
fn a_proof_that_came_with_a_refused_request_is_not_used_up() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let bound = holder.sign_in("ada");
    holder.come();
    let wide = edge.refresh_with("atoms-cli", bound.refresh(), &[("scope", "unheard-of")]);
    assert_eq!(word(wide), "invalid_scope");
    assert!(edge.refresh("atoms-cli", bound.refresh()).is_ok());
}

#[test]
fn a_sign_in_is_repeated_with_its_key_and_begun_anew_with_another() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "one sign-in");
    let exchange = |holder: Option<&Holder<'_>>| {
        holder.inspect(|holder| holder.come());
        let issued = edge.exchange_form("atoms-cli", &form(&subject(&token))).unwrap();
        edge.come_from(&[], Place::default());
        issued
    };
    let (one, two) = (Holder::of(&edge, 1), Holder::of(&edge, 2));
    let first = exchange(Some(&one));
    assert_eq!(exchange(Some(&one)).both(), first.both());
    let (other, unbound) = (exchange(Some(&two)), exchange(None));
    let sessions = [&first, &other, &unbound].map(|issued| issued.session.clone());
    assert!(sessions[0] != sessions[1] && sessions[1] != sessions[2] && sessions[0] != sessions[2]);
    let names = [&first, &other, &unbound].map(|issued| edge.claims(issued.access()).jti);
    assert!(names[0] != names[1] && names[1] != names[2]);
}

#[test]
fn a_proof_for_another_request_or_another_time_is_refused_and_costs_nothing() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let bound = holder.sign_in("ada");
    let good = || holder.claims("POST", TOKEN_URL);
    for claims in [
        holder.claims("GET", TOKEN_URL),
        holder.claims("POST", "https://edge.example/auth/token/refresh"),
        holder.claims("POST", "https://evil.example/oauth/token"),
        with(good(), "iat", json!(NOW / 1000 - 61)),
        with(good(), "iat", json!(NOW / 1000 + 6)),
        with(good(), "jti", json!("")),
    ] {
        assert_eq!(holder.judged(&bound, &claims), "invalid_dpop_proof", "{claims}");
    }
    assert!(!holder.refresh(&bound).unwrap().repeated);
}

#[test]
fn a_forged_proof_is_refused() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let bound = holder.sign_in("ada");
    let claims = holder.claims("POST", TOKEN_URL);
    let (header, thief) = (holder.key.header(), ProofKey::es256(2));
    let changed =
        |name: &str, value: Value| thief.sign(&with(header.clone(), name, value), &claims);
    let good = holder.key.proof(&claims);
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    let mut private = holder.key.jwk();
    private["d"] = json!("AQ");
    for forged in [
        // The victim's public key, signed by another.
        thief.sign(&header, &claims),
        changed("alg", json!("none")),
        format!("{unsigned}."),
        // The public key as the secret of a MAC.
        changed("alg", json!("HS256")),
        changed("jwk", json!({ "kty": "oct", "k": "c2VjcmV0" })),
        changed("typ", json!("JWT")),
        holder.key.sign(&with(header.clone(), "jwk", private), &claims),
        // The key of one algorithm as that of the other.
        holder.key.sign(&with(header.clone(), "alg", json!("EdDSA")), &claims),
        // An access token of ours is no proof, and neither is something long.
        bound.access().to_owned(),
        holder.key.proof(&with(claims.clone(), "x", json!("x".repeat(4096)))),
    ] {
        assert_eq!(holder.refused_with(&bound, &forged), "invalid_dpop_proof", "{forged}");
    }
    assert!(!holder.refresh(&bound).unwrap().repeated);
}

#[test]
fn a_proof_carries_a_nonce_of_ours_that_is_recent_and_may_be_used_again() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let bound = holder.sign_in("ada");
    let old = holder.nonce();
    let claims = |nonce: Value| with(holder.claims("POST", TOKEN_URL), "nonce", nonce);
    for nonce in [json!(null), json!(""), json!("guessed"), json!(7), json!(format!("{old}A"))] {
        assert_eq!(holder.judged(&bound, &claims(nonce)), "use_dpop_nonce");
    }
    let foreign =
        Edge::with(&[("DPOP_NONCE_KEYS", "1=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]);
    let foreign = Holder::of(&foreign, 1).nonce();
    assert_eq!(holder.judged(&bound, &claims(json!(foreign))), "use_dpop_nonce");
    // Twice the same, for two requests.
    edge.world.platform.advance(4 * MINUTE);
    let mut issued = bound;
    for _ in 0..2 {
        holder.come_with(&holder.key.proof(&claims(json!(old))));
        issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    }
    edge.world.platform.advance(3 * MINUTE);
    assert_eq!(holder.judged(&issued, &claims(json!(old))), "use_dpop_nonce");
    assert!(holder.refresh(&issued).is_ok());
}

#[test]
fn there_is_one_proof_or_none() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let proof = || holder.key.proof(&holder.claims("POST", TOKEN_URL));
    let check = |texts: &[&str], host: Option<&str>| {
        let mut request = Request::default();
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = "/oauth/token".parse().unwrap();
        for text in texts {
            let name = HeaderName::from_static("dpop");
            request.headers_mut().append(name, HeaderValue::from_str(text).unwrap());
        }
        if let Some(host) = host {
            request.headers_mut().insert(HOST, host.parse().unwrap());
        }
        let (platform, nonces) = (&edge.world.platform, &edge.resource.nonces);
        let checked = proof::check(platform, &edge.settings, nonces, &request, None);
        block_on(checked).map_err(|error| word::<()>(Err(error.into())))
    };
    assert_eq!(check(&[], None), Ok(None));
    let (one, two) = (proof(), proof());
    assert_eq!(check(&[&one], None).unwrap().unwrap().key, holder.key.thumbprint());
    for texts in [&[one.as_str(), &two][..], &[&one, &one], &[&format!("{one}, {two}")], &[""]] {
        assert_eq!(check(texts, None), Err("invalid_dpop_proof"));
    }
    // What the request says of its host does not matter.
    let evil = holder.key.proof(&holder.claims("POST", "https://evil.example/oauth/token"));
    assert_eq!(check(&[&evil], Some("evil.example")), Err("invalid_dpop_proof"));
    assert!(check(&[&two], Some("evil.example")).is_ok());
}

#[test]
fn a_client_that_wants_bound_tokens_only_gets_no_other() {
    let edge = Edge::new();
    edge.world.database.change("atoms-cli", |client| client.dpop_bound = true);
    let record = edge.record("atoms-cli");
    assert_eq!(word(proof::required(&record, None)), "invalid_dpop_proof");
    let proved = proof::Proved {
        key: "k".to_owned(),
        once: ledger::Once::new(ledger::OnceId::from_bytes([1; 16]), NOW),
    };
    assert_eq!(proof::required(&record, Some(&proved)), Ok(()));
    assert_eq!(proof::required(&edge.record("atoms-web"), None), Ok(()));
}

#[test]
fn i7_introspection_tells_the_key_of_bound_tokens() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let (bound, unbound) = (holder.sign_in("ada"), edge.sign_in("bob"));
    let told = edge.introspect(bound.access());
    let key = json!({ "jkt": holder.key.thumbprint() });
    assert_eq!((&told["token_type"], &told["cnf"]), (&json!("DPoP"), &key));
    assert!(told["exp"].is_u64() && told["iat"].is_u64());
    assert_eq!(edge.introspect(bound.refresh())["cnf"], key);
    let told = edge.introspect(unbound.access());
    assert_eq!((&told["token_type"], told.get("cnf")), (&json!("Bearer"), None));
    assert_eq!(edge.introspect(unbound.refresh()).get("cnf"), None);
}

#[test]
fn the_use_of_a_proof_is_forgotten_when_it_is_of_no_use_anyway() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let mut issued = holder.sign_in("ada");
    for _ in 0..5 {
        edge.world.platform.advance(71 * SECOND);
        issued = holder.refresh(&issued).unwrap();
    }
    let ledgers = edge.world.platform.ledgers();
    let kept: usize = ledgers.iter().map(|ledger| ledger.consumed.len()).sum();
    assert_eq!((ledgers.len(), kept), (1, 1));
}
