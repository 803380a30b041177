//! The internal MAC: what it decides, for whom, and when the signature decides instead.

use auth::access::{Purpose, VerifyError, verify};
use futures::executor::block_on;
use oauth::access_token::{AccessToken, InvalidAccessToken, SigningKey};
use oauth::internal_mac::InternalKeys;
use oauth::keys::{Derived, KeyRing, Master};
use oauth::{base64url, software};
use ports::Config as _;
use testing::PUBLIC_URL;

use crate::support::Edge;

const MCP: &str = "https://edge.example/mcp";
const FORGED: VerifyError = VerifyError::Invalid(InvalidAccessToken::BadSignature);

/// What the token says if it is genuine for the purpose.
fn check(edge: &Edge, text: &str, purpose: Purpose<'_>) -> Result<AccessToken, VerifyError> {
    block_on(verify(&edge.world.platform, &edge.settings, &edge.verifier, text, purpose))
}

/// Every purpose that a token for both resources can have.
const PURPOSES: [Purpose<'static>; 3] =
    [Purpose::UseAt(PUBLIC_URL), Purpose::UseAt(MCP), Purpose::Whole];

/// A token for both resources with these MACs, signed by the deployment's key.
fn minted(edge: &Edge, internal: &InternalKeys) -> String {
    let claims = edge.claims(edge.sign_in("ada").access());
    let set = edge.world.platform.get("SIGNING_KEYS").unwrap();
    let key = SigningKey::newest_of(&set).unwrap();
    let input = claims.signing_input(&key.kid, internal, &edge.settings.resources);
    oauth::jws::assemble(&input, &software::sign(&key.key, input.as_bytes()))
}

/// The token with another signature.
fn unsigned(text: &str) -> String {
    format!("{}.{}", text.rsplit_once('.').unwrap().0, base64url(&[0; 64]))
}

/// Keys of another deployment, under a version.
fn other_keys(id: u8) -> InternalKeys {
    let derived = Derived::from_masters(&[Master { id: 1, secret: [0x55; 32] }]).unwrap();
    let ring = |name| {
        let text = derived.get(name).unwrap().replacen("1=", &format!("{id}="), 1);
        Some(KeyRing::parse(&text).unwrap())
    };
    InternalKeys { issuer: ring("INTERNAL_MAC_KEYS_ISSUER"), mcp: ring("INTERNAL_MAC_KEYS_MCP") }
}

#[test]
fn a_right_mac_is_enough() {
    let edge = Edge::new();
    let text = unsigned(edge.sign_in("ada").access());
    for purpose in PURPOSES {
        assert_eq!(check(&edge, &text, purpose).unwrap().sub, "ada", "{purpose:?}");
    }
}

#[test]
fn a_wrong_mac_under_a_known_key_is_a_forgery_whatever_the_signature() {
    let edge = Edge::new();
    let text = minted(&edge, &other_keys(edge.mint.internal.mcp.as_ref().unwrap().newest()));
    for purpose in PURPOSES {
        assert_eq!(check(&edge, &text, purpose), Err(FORGED), "{purpose:?}");
    }
}

#[test]
fn without_a_mac_that_we_can_judge_the_signature_decides() {
    let edge = Edge::new();
    for internal in [InternalKeys::default(), other_keys(200)] {
        let text = minted(&edge, &internal);
        for purpose in PURPOSES {
            assert!(check(&edge, &text, purpose).is_ok(), "{purpose:?}");
            assert_eq!(check(&edge, &unsigned(&text), purpose), Err(FORGED), "{purpose:?}");
        }
    }
}

#[test]
fn a_function_without_keys_lets_the_signature_decide() {
    let mut edge = Edge::new();
    let text = edge.sign_in("ada").access().to_owned();
    edge.verifier.internal = InternalKeys::default();
    for purpose in PURPOSES {
        assert!(check(&edge, &text, purpose).is_ok(), "{purpose:?}");
        assert_eq!(check(&edge, &unsigned(&text), purpose), Err(FORGED), "{purpose:?}");
    }
}

#[test]
fn the_key_of_one_audience_forges_for_no_other() {
    let edge = Edge::new();
    let stolen = InternalKeys { issuer: None, mcp: edge.mint.internal.mcp.clone() };
    let text = unsigned(&minted(&edge, &stolen));
    assert!(check(&edge, &text, Purpose::UseAt(MCP)).is_ok(), "that much the key can do");
    assert_eq!(check(&edge, &text, Purpose::UseAt(PUBLIC_URL)), Err(FORGED));
    assert_eq!(check(&edge, &text, Purpose::Whole), Err(FORGED));
}

#[test]
fn macs_that_are_none_are_left_to_the_signature_and_never_a_panic() {
    let edge = Edge::new();
    let text = edge.sign_in("ada").access().to_owned();
    let (header, rest) = text.split_once('.').unwrap();
    let header: serde_json::Value =
        serde_json::from_slice(&oauth::from_base64url(header).unwrap()).unwrap();
    for amac in [
        serde_json::json!([]),
        serde_json::json!(["", ".", "i", "i.", "i.1", "i..", "m.x.AA", "m.300.AA", "é.1.AA"]),
    ] {
        let mut header = header.clone();
        header["amac"] = amac;
        let text = format!("{}.{rest}", base64url(header.to_string().as_bytes()));
        for purpose in PURPOSES {
            // The header is under the signature, so this is not what was signed.
            assert_eq!(check(&edge, &text, purpose), Err(FORGED), "{purpose:?}");
        }
    }
}
