use auth::access::{Purpose, sign, verify};
use auth::settings::{MintSettings, Settings, Verifier};
use futures::executor::block_on;
use ledger::SessionId;
use oauth::access_token::{AccessToken, Audience};
use oauth::internal_mac::InternalKeys;
use proptest::prelude::*;
use testing::{NOW, PUBLIC_URL, World};

use crate::fuzz;
use crate::mutation::{mutated, mutations};

const MCP: &str = "https://edge.example/mcp";

struct Edge {
    world: World,
    settings: Settings,
    mint: MintSettings,
    verifier: Verifier,
}

impl Edge {
    fn new() -> Self {
        let world = World::new();
        let settings = Settings::load(&world.platform).unwrap();
        let mint = MintSettings::load(&world.platform).unwrap();
        let verifier = Verifier::load(&world.platform).unwrap();
        Self { world, settings, mint, verifier }
    }

    /// Tokens of several people and for several audiences, one of them expired and one of another
    /// issuer, with and without internal MACs.
    fn valid(&self) -> Vec<(String, AccessToken)> {
        let both = vec![PUBLIC_URL.to_owned(), MCP.to_owned()];
        let claims = |sub: &str, aud: &[String]| AccessToken {
            iss: PUBLIC_URL.to_owned(),
            sub: sub.to_owned(),
            aud: Audience::of(aud),
            exp: NOW / 1000 + 900,
            iat: NOW / 1000,
            jti: format!("jti of {sub}"),
            client_id: "atoms-web".to_owned(),
            scope: "sessions:read".to_owned(),
            sid: SessionId::from_bytes([7; 16]),
            org: None,
            roles: vec![],
            cnf: None,
        };
        let expired = AccessToken { exp: NOW / 1000, ..claims("ada", &both) };
        let foreign =
            AccessToken { iss: "https://other.example".to_owned(), ..claims("eve", &both) };
        let all = [claims("ada", &both), claims("bob", &both[..1]), claims("cy", &both[1..])];
        let all = all.into_iter().chain([expired, foreign]);
        let mint = |internal: InternalKeys| MintSettings {
            internal,
            ..MintSettings::load(&self.world.platform).unwrap()
        };
        let bare = mint(InternalKeys::default());
        all.flat_map(|claims| {
            [&self.mint, &bare].map(|mint| {
                let text = block_on(sign(&self.world.platform, &self.settings, mint, &claims));
                (text.unwrap(), claims.clone())
            })
        })
        .collect()
    }

    fn read(&self, verifier: &Verifier, text: &str, purpose: Purpose<'_>) -> Option<AccessToken> {
        block_on(verify(&self.world.platform, &self.settings, verifier, text, purpose)).ok()
    }
}

#[test]
fn nothing_but_the_very_access_token_is_taken_by_its_signature() {
    let edge = Edge::new();
    let verifier = Verifier {
        internal: InternalKeys::default(),
        ..Verifier::load(&edge.world.platform).unwrap()
    };
    let tokens = edge.valid();
    let valid: Vec<_> = tokens.iter().map(|(text, _)| text.clone().into_bytes()).collect();
    fuzz(&mutations(), |(which, mutations)| {
        let bytes = mutated(&valid, which, &mutations);
        let text = String::from_utf8_lossy(&bytes);
        let read = edge.read(&verifier, &text, Purpose::Whole);
        let genuine = tokens.iter().find(|(genuine, _)| *genuine == text);
        let in_force = genuine
            .map(|(_, claims)| claims)
            .filter(|claims| claims.iss == PUBLIC_URL && claims.exp * 1000 > NOW);
        prop_assert_eq!(read.as_ref(), in_force);
        Ok(())
    });
}

/// Where a MAC decides, the signature and the MACs for others are not looked at: of a token that was
/// changed there, every word of its payload is still ours.
#[test]
fn nothing_but_the_very_claims_are_taken_by_an_internal_mac() {
    let edge = Edge::new();
    let tokens = edge.valid();
    let valid: Vec<_> = tokens.iter().map(|(text, _)| text.clone().into_bytes()).collect();
    let payload = |text: &str| text.split('.').nth(1).map(str::to_owned);
    fuzz(&mutations(), |(which, mutations)| {
        let bytes = mutated(&valid, which, &mutations);
        let text = String::from_utf8_lossy(&bytes);
        for purpose in [Purpose::Whole, Purpose::UseAt(PUBLIC_URL), Purpose::UseAt(MCP)] {
            let Some(read) = edge.read(&edge.verifier, &text, purpose) else { continue };
            let genuine = tokens.iter().find(|(genuine, _)| payload(genuine) == payload(&text));
            prop_assert_eq!(Some(&read), genuine.map(|(_, claims)| claims));
            prop_assert!(read.iss == PUBLIC_URL && read.exp * 1000 > NOW);
        }
        Ok(())
    });
}
