//! The authorization code grant, RFC 6749 section 4.1.3, with the proof key of RFC 7636.

use data::clients::ClientRecord;
use ledger::{Command, CreateSession, Envelope, Issue, Once, OnceId, Refusal, Subject};
use oauth::code::{self, CodeGrant};
use oauth::form::Form;
use oauth::metadata::AUTHORIZATION_CODE;
use oauth::{ErrorCode, pkce};
use ports::{Millis, Platform};

use crate::authkit::{Identity, external_id};
use crate::exchange::provision;
use crate::issue::{TokenResponse, mint, started};
use crate::refresh::{Refreshed, UNAUTHORIZED, guessed, refused, resources};
use crate::settings::{ClientSettings, MintSettings, Settings};
use crate::visitor::Visitor;
use crate::{Failure, upstream};

/// Redeem an authorization code for a session of its own, for an authenticated client.
///
/// Everything else is checked before the ledger is asked, which uses up the code in the same step as it
/// makes the session: of any number of redemptions at once, one succeeds. A code that is redeemed again,
/// however late, ends the session that it started with all of its tokens (RFC 6749 section 4.1.2); one
/// that comes with anything wrong ends nothing, as it may be in the hands of a thief.
///
/// # Errors
/// `invalid_grant` for every code that is not in force for this client, this verifier and this key.
pub async fn redeem<P: Platform>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    minting: &MintSettings,
    record: &ClientRecord,
    visitor: &Visitor,
    form: &Form,
) -> Result<(TokenResponse, Refreshed), Failure> {
    let text = form.require("code", "code is missing")?;
    let verifier = form.require("code_verifier", "code_verifier is missing")?;
    if !record.may_use(AUTHORIZATION_CODE) {
        return Err(UNAUTHORIZED);
    }
    let now = platform.now();
    let grant = code::open(&minting.code_keys, text)
        .ok_or_else(|| guessed(client, record, visitor, now, no_code("malformed or forged")))?;
    check(&grant, record, visitor, verifier, form)?;
    let resources = asked(settings, &grant, form)?;
    let policy = settings.policy_of(record)?;
    let identity = identity(&grant);
    let subject = if now < grant.expires_at {
        provision(platform, settings, &identity, data::DEFAULT_TIMEOUT).await?
    } else {
        // Nobody is going to be let in.
        Subject { id: grant.user.clone(), organization: None, roles: Vec::new() }
    };
    let address = settings.user_ledger(&subject.id);
    let command = command(&grant, client, visitor, subject, now)?;
    let envelope = Envelope { policy, ..settings.envelope(command) };
    let (issue, budget) = started(platform, &address, &envelope).await?.map_err(denied)?;
    let issue = Issue { resources, ..issue };
    let sealed = grant.upstream.as_deref();
    let keys = &minting.upstream.keys;
    if let Some(token) = sealed.and_then(|it| code::open_upstream(keys, &grant.id, it)) {
        let place = (&address, issue.session);
        // The code is used up: without its grant the session lives, and follows nobody.
        let _ = upstream::grant(platform, settings, minting, place, &token, &identity).await;
    }
    let key = visitor.key();
    let response = mint(platform, settings, client, minting, record, &issue, key).await?;
    let session = issue.session.to_string();
    Ok((response, Refreshed { session, repeated: false, budget }))
}

/// Whether the code is this client's, for where it was sent, with the verifier of its challenge, and with
/// the key that it was bound to (RFC 9449 section 10).
///
/// OAuth 2.1 leaves the `redirect_uri` out of this request, as PKCE does what it was for; whoever still
/// sends it must send the same.
fn check(
    grant: &CodeGrant,
    record: &ClientRecord,
    visitor: &Visitor,
    verifier: &str,
    form: &Form,
) -> Result<(), Failure> {
    if grant.client_id != record.client_id {
        return Err(no_code("another client's code"));
    }
    if form.get("redirect_uri").is_some_and(|uri| uri != grant.redirect_uri) {
        return Err(no_code("another redirect_uri"));
    }
    if !pkce::verify(&grant.code_challenge, verifier) {
        return Err(no_code("wrong code_verifier"));
    }
    if grant.key.is_some() && grant.key.as_deref() != visitor.key() {
        return Err(no_code("bound to another key"));
    }
    Ok(())
}

/// The audience of the first access token: all that was granted, or the part that is asked for (RFC 8707
/// section 2.2). Later ones may ask for another part.
fn asked(settings: &Settings, grant: &CodeGrant, form: &Form) -> Result<Vec<String>, Failure> {
    let asked = resources(settings, form)?.unwrap_or_else(|| grant.resources.clone());
    if asked.iter().all(|one| grant.resources.contains(one)) {
        return Ok(grant.resources.iter().filter(|one| asked.contains(one)).cloned().collect());
    }
    Err(refused(Refusal::ResourceNotGranted))
}

fn command(
    grant: &CodeGrant,
    client: &ClientSettings,
    visitor: &Visitor,
    subject: Subject,
    now: Millis,
) -> Result<Command, Failure> {
    let id: OnceId = grant.id.parse().map_err(|_| no_code("a name that is none"))?;
    // The ledger's clock may be behind ours, and must not let in whom we know nothing of.
    let until = if now < grant.expires_at { grant.expires_at } else { 0 };
    Ok(Command::CreateSession(CreateSession {
        subject,
        client_id: grant.client_id.clone(),
        scopes: grant.scopes.clone(),
        scopes_by_default: false,
        resources: grant.resources.clone(),
        resources_by_default: false,
        device: visitor.device.clone(),
        external_id: Some(external_id(&grant.sign_in)),
        authenticated_at: grant.expires_at.saturating_sub(code::LIFETIME),
        key_id: client.refresh_keys.newest(),
        fresh_for: 0,
        signals: visitor.signals.clone(),
        code: Some(Once::new(id, until)),
        proof: visitor.once(),
        key: visitor.key().map(str::to_owned),
    }))
}

/// The sign-in. For how long the access token of it lives, nobody has told us: it is renewed with the
/// first refresh.
fn identity(grant: &CodeGrant) -> Identity {
    Identity {
        user: grant.user.clone(),
        session: grant.sign_in.clone(),
        organization: grant.organization.clone(),
        role: grant.role.clone(),
        issued_at: grant.authenticated_at,
        expires_at: grant.authenticated_at,
    }
}

/// How a refusal of the ledger looks to a client.
fn denied(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Replayed => no_code("used before, or too old"),
        Refusal::StaleProof => no_code("of a sign-in that is over"),
        other => refused(other),
    }
}

const fn no_code(reason: &'static str) -> Failure {
    Failure::refused(ErrorCode::InvalidGrant, "the code is not valid for this client", reason)
}
