//! The client credentials grant, RFC 6749 section 4.4: a confidential client acts for itself. Its tokens
//! are in a ledger of its own, so that they can be revoked and introspected like all others.

use data::clients::{ClientKind, ClientRecord};
use ledger::{Command, CreateSession, Envelope, Issue, Millis, Subject};
use oauth::form::Form;
use oauth::metadata::CLIENT_CREDENTIALS;
use oauth::{ErrorCode, scope};
use ports::Platform;

use crate::Failure;
use crate::exchange::{Ask, everything, refused_or_replayed, scopes};
use crate::issue::{TokenResponse, mint, started};
use crate::refresh::{Refreshed, UNAUTHORIZED, resources};
use crate::settings::{ClientSettings, MintSettings, Settings};
use crate::visitor::Visitor;

/// An access token is given again as long as it is good for so long, or for a third of its life if that is
/// less: there is no refresh token to fall back on.
const FRESH_FOR: Millis = 300_000;

/// Give a client an access token of its own, and no refresh token (RFC 6749 section 4.4.3). All its
/// instances share one session, however often and in parallel they ask: whoever asks for the same gets
/// the same token while it is fresh.
///
/// # Errors
/// `unauthorized_client` for public clients and those that are not registered for it, `invalid_scope` if
/// nothing is left of the scopes that a client may have without a person.
pub async fn issue<P: Platform>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    minting: &MintSettings,
    record: &ClientRecord,
    visitor: &Visitor,
    form: &Form,
) -> Result<(TokenResponse, Refreshed), Failure> {
    if record.kind != ClientKind::Confidential || !record.may_use(CLIENT_CREDENTIALS) {
        return Err(UNAUTHORIZED);
    }
    let scopes = own(&scopes(record, form)?.names)?;
    let resources = Ask::new(resources(settings, form)?, || everything(settings)).names;
    let policy = settings.policy_of(record)?;
    let fresh_for = FRESH_FOR.min(policy.access_token / 3);
    let command = command(settings, client, record, visitor, fresh_for);
    let envelope = Envelope { policy, ..settings.envelope(command) };
    let address = settings.client_ledger(&record.client_id);
    let (issue, budget) =
        started(platform, &address, &envelope).await?.map_err(refused_or_replayed)?;
    let issue = Issue { scopes, resources, ..issue };
    let key = visitor.key();
    let response = mint(platform, settings, client, minting, record, &issue, key).await?;
    Ok((
        response,
        Refreshed { session: issue.session.to_string(), repeated: issue.repeated, budget },
    ))
}

/// The session that all tokens of the client come from. It holds all that the client may have, and each
/// token a part; so it is another one as soon as the client is registered for something else. It is bound
/// to no key, as instances of the client have keys of their own: each token is.
fn command(
    settings: &Settings,
    client: &ClientSettings,
    record: &ClientRecord,
    visitor: &Visitor,
    fresh_for: Millis,
) -> Command {
    let scopes: Vec<String> = without_person(&record.scopes).cloned().collect();
    let resources = everything(settings);
    let external_id = format!("client:{} {}", scope::join(&scopes), resources.join(" "));
    Command::CreateSession(CreateSession {
        subject: Subject { id: record.client_id.clone(), organization: None, roles: Vec::new() },
        client_id: record.client_id.clone(),
        scopes,
        scopes_by_default: true,
        resources,
        resources_by_default: true,
        device: visitor.device.clone(),
        external_id: Some(external_id),
        // It proves itself anew with each request, so no end of a session outdates that.
        authenticated_at: Millis::MAX,
        key_id: client.refresh_keys.newest(),
        fresh_for,
        signals: visitor.signals.clone(),
        code: None,
        proof: visitor.once(),
        key: None,
    })
}

/// What a client may have without a person: nothing that outlasts their presence.
fn own(scopes: &[String]) -> Result<Vec<String>, Failure> {
    let own: Vec<String> = without_person(scopes).cloned().collect();
    if own.is_empty() {
        return Err(Failure::refused(
            ErrorCode::InvalidScope,
            "the client may have no such scope for itself",
            "no scope is left",
        ));
    }
    Ok(own)
}

fn without_person(scopes: &[String]) -> impl Iterator<Item = &String> {
    scopes.iter().filter(|name| *name != scope::OFFLINE_ACCESS)
}
