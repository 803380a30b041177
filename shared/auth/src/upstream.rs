//! The AuthKit grant of a session: its refresh token is sealed for the session, and renewed when a
//! client refreshes. WorkOS away is no reason to refuse that client; only WorkOS's own word that the
//! grant has ended is.

use std::time::Duration;

use ledger::{
    Address, Command, LeaseId, Outcome, Renewed, SessionId, Subject, UpstreamAnswer, UpstreamGrant,
    UpstreamOutcome, UpstreamStore,
};
use oauth::base64url;
use oauth::keys::mac;
use oauth::seal::{self, Nonce};
use ports::{Kv, Platform, Random};

use crate::Failure;
use crate::authkit::{self, Identity};
use crate::exchange::provision;
use crate::settings::{MintSettings, Settings, UpstreamSettings};
use crate::workos::{Redeemed, Unredeemed, redeem};

/// A client's refresh waits no longer than this for WorkOS.
const PATIENCE: Duration = Duration::from_secs(3);
/// And, if the person's organization or role has changed, no longer than this for the database.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);
/// A sign-in has nothing to go on without it, and waits longer.
const SIGN_IN_PATIENCE: Duration = Duration::from_secs(5);
/// For this long a sign-in whose answer got lost on our side may be repeated.
const REPEATABLE: Duration = Duration::from_secs(5 * 60);
/// The refresh tokens of WorkOS are much shorter. They are kept with every session.
const MAX_TOKEN: usize = 1024;

const GRANT: &str = "atoms-edge upstream grant";
const HANDOVER: &str = "atoms-edge upstream handover";

/// Redeem a refresh token that a client hands over. WorkOS replaces it, so what the client has is of
/// no use from then on.
///
/// What WorkOS gives is kept sealed in the cache for a while: if we fail after that (the database is
/// away, say), the same client can try again with the same token. Two that try at once cannot, and a
/// cache that has not seen it yet cannot help: then the person signs in again.
///
/// # Errors
/// [`Failure::Unavailable`] if WorkOS does not answer; the inner one if the token is not in force.
pub(crate) async fn take_over<P: Platform>(
    platform: &P,
    minting: &MintSettings,
    client_id: &str,
    token: &str,
) -> Result<Result<Redeemed, &'static str>, Failure> {
    if token.len() > MAX_TOKEN {
        return Ok(Err("longer than any"));
    }
    let upstream = &minting.upstream;
    let handover = Handover::new(upstream, client_id, token)?;
    if let Some(again) = handover.find(platform, upstream).await {
        return Ok(Ok(again));
    }
    match redeem(platform, &minting.workos, upstream, token, SIGN_IN_PATIENCE).await {
        Ok(redeemed) => {
            handover.keep(platform, upstream, &redeemed).await;
            Ok(Ok(redeemed))
        }
        Err(Unredeemed::Ended) => Ok(Err("the refresh token is not in force")),
        Err(Unredeemed::Retryable { reason, .. }) => {
            Err(Failure::Unavailable(format!("identity provider: {reason}")))
        }
    }
}

/// Give a session the grant that its sign-in came with.
///
/// # Errors
/// If the ledger does not answer.
pub(crate) async fn grant<P: Platform>(
    platform: &P,
    settings: &Settings,
    minting: &MintSettings,
    place: (&Address, SessionId),
    refresh_token: &str,
    identity: &Identity,
) -> Result<(), Failure> {
    let sealed = sealed(platform, &minting.upstream, place, refresh_token)?;
    let (address, session) = place;
    let grant = renewed(sealed, identity, None);
    let command = Command::UpstreamGrant(UpstreamGrant { session, grant });
    match platform.execute(address, &settings.envelope(command)).await? {
        Outcome::Upstream(UpstreamOutcome::Stored | UpstreamOutcome::Superseded) => Ok(()),
        // It ended in this moment. Its tokens tell.
        Outcome::Refused(_) => Ok(()),
        other => Err(Failure::unexpected(&other)),
    }
}

/// Renew the grant of a session that is due, if nobody else is about it. The session ends with it if
/// WorkOS says so; whatever else comes of it is kept for the next time.
///
/// # Errors
/// If the ledger does not answer.
pub(crate) async fn renew<P: Platform>(
    platform: &P,
    settings: &Settings,
    minting: &MintSettings,
    place: (&Address, SessionId),
) -> Result<(), Failure> {
    let (address, session) = place;
    let mut name = [0; 16];
    platform.fill(&mut name);
    let lease = LeaseId::from_bytes(name);
    let claim = settings.envelope(Command::UpstreamClaim { session, lease });
    let lent = match platform.execute(address, &claim).await? {
        Outcome::Upstream(UpstreamOutcome::Leased {
            sealed,
            subject,
            organization,
            role,
            until: _,
        }) => Lent { sealed, subject, organization, role },
        // Somebody else is about it, or was, or the session has ended: the refresh tells.
        Outcome::Upstream(_) | Outcome::Refused(_) => return Ok(()),
        other => return Err(Failure::unexpected(&other)),
    };
    let answer = ask(platform, settings, minting, place, lent).await;
    let store = Command::UpstreamStore(UpstreamStore { session, lease, answer });
    match platform.execute(address, &settings.envelope(store)).await? {
        Outcome::Upstream(_) | Outcome::Refused(_) => Ok(()),
        other => Err(Failure::unexpected(&other)),
    }
}

/// A grant on loan.
struct Lent {
    sealed: String,
    subject: Subject,
    organization: Option<String>,
    role: Option<String>,
}

async fn ask<P: Platform>(
    platform: &P,
    settings: &Settings,
    minting: &MintSettings,
    place: (&Address, SessionId),
    lent: Lent,
) -> UpstreamAnswer {
    let upstream = &minting.upstream;
    let Some(token) = opened(upstream, place, &lent.sealed) else {
        return retryable("the grant does not open", false);
    };
    let redeemed = match redeem(platform, &minting.workos, upstream, &token, PATIENCE).await {
        Ok(redeemed) => redeemed,
        Err(Unredeemed::Ended) => return UpstreamAnswer::Ended,
        Err(Unredeemed::Retryable { reason, retry_at, unsure }) => {
            return UpstreamAnswer::Retryable { reason: reason.to_owned(), retry_at, unsure };
        }
    };
    let received = authkit::received(&minting.workos, &redeemed.access_token, platform.now());
    let identity = match received {
        Ok(identity) if identity.user == lent.subject.id => identity,
        Ok(_) => return retryable("an answer about another person", true),
        Err(_) => return retryable("an access token that is not for us", true),
    };
    let Ok(sealed) = sealed(platform, upstream, place, &redeemed.refresh_token) else {
        return retryable("the grant cannot be sealed", true);
    };
    let seen = (&lent.organization, &lent.role);
    if seen == (&identity.organization, &identity.role) {
        return UpstreamAnswer::Renewed(renewed(sealed, &identity, None));
    }
    match provision(platform, settings, &identity, DATABASE_PATIENCE).await {
        Ok(subject) => UpstreamAnswer::Renewed(renewed(sealed, &identity, Some(subject))),
        // The grant goes on. As what it was before, so that the next time finds the change again.
        Err(_) => {
            let Lent { organization, role, .. } = lent;
            let renewed = renewed(sealed, &identity, None);
            UpstreamAnswer::Renewed(Renewed { organization, role, ..renewed })
        }
    }
}

fn retryable(reason: &str, unsure: bool) -> UpstreamAnswer {
    UpstreamAnswer::Retryable { reason: reason.to_owned(), retry_at: None, unsure }
}

fn renewed(sealed: String, identity: &Identity, subject: Option<Subject>) -> Renewed {
    Renewed {
        sealed,
        issued_at: identity.issued_at,
        expires_at: identity.expires_at,
        external_id: identity.external_id(),
        organization: identity.organization.clone(),
        role: identity.role.clone(),
        subject,
    }
}

fn sealed(
    platform: &impl Random,
    upstream: &UpstreamSettings,
    (address, session): (&Address, SessionId),
    token: &str,
) -> Result<String, Failure> {
    let place: [&[u8]; 2] = [address.as_bytes(), session.as_bytes()];
    seal::seal(&upstream.keys, GRANT, &place, &nonce(platform), token.as_bytes()).ok_or_else(no_key)
}

fn opened(
    upstream: &UpstreamSettings,
    (address, session): (&Address, SessionId),
    sealed: &str,
) -> Option<String> {
    let place: [&[u8]; 2] = [address.as_bytes(), session.as_bytes()];
    String::from_utf8(seal::open(&upstream.keys, GRANT, &place, sealed)?).ok()
}

fn nonce(platform: &impl Random) -> Nonce {
    let mut nonce = Nonce::default();
    platform.fill(&mut nonce);
    nonce
}

fn no_key() -> Failure {
    Failure::Internal("there is no key to seal with".to_owned())
}

/// What WorkOS gave for a token of a client, in the cache: found by a keyed hash of both.
struct Handover<'c> {
    name: [u8; 32],
    client_id: &'c str,
}

impl<'c> Handover<'c> {
    fn new(upstream: &UpstreamSettings, client_id: &'c str, token: &str) -> Result<Self, Failure> {
        let key = upstream.keys.get(upstream.keys.newest()).ok_or_else(no_key)?;
        let name = mac(key, HANDOVER, &[client_id.as_bytes(), token.as_bytes()]);
        Ok(Self { name, client_id })
    }

    fn key(&self) -> String {
        format!("handover/{}", base64url(&self.name))
    }

    fn place(&self) -> [&[u8]; 2] {
        [&self.name, self.client_id.as_bytes()]
    }

    async fn find(&self, platform: &impl Kv, upstream: &UpstreamSettings) -> Option<Redeemed> {
        let sealed = String::from_utf8(platform.get(&self.key()).await.ok()??).ok()?;
        let opened = seal::open(&upstream.keys, HANDOVER, &self.place(), &sealed)?;
        serde_json::from_slice(&opened).ok()
    }

    /// A cache that cannot be written costs a repeated sign-in, and only if something else fails too.
    async fn keep(
        &self,
        platform: &(impl Kv + Random),
        upstream: &UpstreamSettings,
        redeemed: &Redeemed,
    ) {
        let text = serde_json::to_vec(redeemed).unwrap_or_default();
        let nonce = nonce(platform);
        if let Some(sealed) = seal::seal(&upstream.keys, HANDOVER, &self.place(), &nonce, &text) {
            let _ = platform.put(&self.key(), sealed.as_bytes(), REPEATABLE).await;
        }
    }
}
