//! Token introspection, RFC 7662: in strong mode the ledger is asked every time, in edge mode a snapshot
//! of the revocations (module [`edge`](crate::edge)). Answers are JSON, or signed JWTs (RFC 9701).

use data::clients::{ClientKind, ClientRecord};
use ledger::{
    Actor, Answer, Budget, Check, Command, Envelope, Outcome, SessionId, Standing, Usage,
};
use oauth::access_token::{AccessToken, Audience};
use oauth::dpop::{self, Confirmation};
use oauth::form::Form;
use oauth::{ErrorCode, OAuthError, RefreshToken, introspection_jwt, jws, scope};
use ports::{Clock, Kv, Ledgers, Publisher, Signatures};
use serde::Serialize;
use snapshot::Verdict;

use crate::Failure;
use crate::bearer::describe;
use crate::presented::Token;
use crate::settings::{ClientSettings, Introspector, Settings, Verifier};

/// A client that is registered for introspection and no grant is a resource server, which may ask for
/// each call that it gets: the limits of its questions are multiplied by this.
const RESOURCE_SERVER_TIER: u32 = 10;

/// The answer. An inactive token is told nothing more about: RFC 7662 section 2.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Introspection {
    /// In force.
    Active(Box<Active>),
    /// Anything else.
    Inactive {
        /// Always false.
        active: bool,
    },
}

/// An answer, and what else is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspected {
    /// For the caller.
    pub answer: Introspection,
    /// By whom the token was found to be in force, or why it is not, for the log.
    pub outcome: &'static str,
    /// What is left of the rate limit that the question has spent from.
    pub budget: Option<Budget>,
}

/// What is said of a token in force. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    missing_docs,
    reason = "the members of RFC 7662 section 2.2 and RFC 9449 section 6.2, and the claims of RFC 9068"
)]
pub struct Active {
    pub active: bool,
    pub iss: String,
    pub sub: String,
    pub client_id: String,
    pub scope: String,
    pub sid: SessionId,
    pub exp: u64,
    pub iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// Tell a registered resource server whether a token is in force.
///
/// # Errors
/// [`Failure::Client`] for public clients, [`Failure::Forbidden`] for clients that are not registered
/// for introspection, [`Failure::Limited`] if it asks too often about one person. Never an error for a
/// bad token.
pub async fn introspect<P: Clock + Signatures + Kv + Ledgers + Publisher>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    verifier: &Verifier,
    introspector: &Introspector,
    record: &ClientRecord,
    form: &Form,
) -> Result<Introspected, Failure> {
    may_introspect(record)?;
    let text = form.require("token", "token is missing")?;
    let (found, budget) = match Token::read(platform, settings, client, verifier, text).await? {
        Ok(token) => check(platform, settings, introspector, record, token).await?,
        Err(reason) => (Err(reason), None),
    };
    let (answer, outcome) = match found {
        Ok((active, by)) => (Introspection::Active(Box::new(active)), by),
        Err(reason) => (Introspection::Inactive { active: false }, reason),
    };
    Ok(Introspected { answer, outcome, budget })
}

/// The answer as a JWT for the resource server that asked, RFC 9701 section 5.
///
/// # Errors
/// [`Failure::Internal`] if the host's cryptography fails.
pub async fn sign(
    platform: &(impl Clock + Signatures),
    settings: &Settings,
    introspector: &Introspector,
    caller: &ClientRecord,
    answer: &Introspection,
) -> Result<String, Failure> {
    let claims = introspection_jwt::Claims {
        iss: &settings.issuer,
        aud: Audience::One(caller.client_id.clone()),
        iat: platform.now() / 1000,
        token_introspection: answer,
    };
    let key = &introspector.signing_key;
    let input = claims.signing_input(&key.kid);
    let signature = platform.sign(&key.key, input.as_bytes()).await?;
    Ok(jws::assemble(&input, &signature))
}

const fn may_introspect(record: &ClientRecord) -> Result<(), Failure> {
    if matches!(record.kind, ClientKind::Public) {
        return Err(Failure::Client { basic: false, reason: "a public client cannot introspect" });
    }
    if record.introspect_audiences.is_empty() {
        let description = "the client is not registered for introspection";
        let told = OAuthError::new(ErrorCode::UnauthorizedClient, description);
        return Err(Failure::Forbidden { told });
    }
    Ok(())
}

/// What is said of a token and, for the log, by whom; or why nothing is said.
type Found = Result<(Active, &'static str), &'static str>;

async fn check<P: Clock + Kv + Ledgers + Publisher>(
    platform: &P,
    settings: &Settings,
    introspector: &Introspector,
    record: &ClientRecord,
    token: Token,
) -> Result<(Found, Option<Budget>), Failure> {
    let (address, session, credential) = token.place(settings);
    let allowed = match &token {
        Token::Access(claims) => may_see(record, |audience| claims.aud.contains(audience)),
        Token::Refresh(_) => true,
    };
    if !allowed {
        return Ok((Err("audience not the caller's"), None));
    }
    let check = Check { session, credential, usage: Usage::Introspection, key: None, proof: None };
    let envelope = envelope(settings, record, check)?;
    // Refresh tokens are for the ledger alone: what has replaced them is nowhere else.
    if let (Some(edge), Token::Access(claims)) = (&introspector.edge, &token) {
        let admitted = edge.admit(&address, &envelope, platform.now());
        let budget = admitted.map_err(|budget| Failure::Limited { budget })?;
        match edge.look_up(platform, claims).await {
            Verdict::Revoked => return Ok((Err("revoked by the snapshot"), budget)),
            Verdict::InForce => {
                let active = access_token((**claims).clone());
                return Ok((Ok((active, "active by the snapshot")), budget));
            }
            Verdict::Unknown => {}
        }
    }
    let Answer { outcome, budget } = platform.ask(&address, &envelope).await?;
    let found = match outcome {
        Outcome::Active(standing) => {
            describe_token(settings, record, token, standing).map(|active| (active, "active"))
        }
        Outcome::Inactive(reason) => Err(describe(reason)),
        Outcome::Limited(budget) => return Err(Failure::Limited { budget }),
        other => return Err(Failure::unexpected(&other)),
    };
    Ok((found, budget))
}

/// The question, by whom it is asked, and how often they may ask it: the limits are the caller's, all
/// other numbers the deployment's.
fn envelope(settings: &Settings, record: &ClientRecord, check: Check) -> Result<Envelope, Failure> {
    let mut envelope = settings.envelope(Command::Check(check));
    envelope.origin.actor = Actor::ResourceServer(record.client_id.clone());
    envelope.policy.limits = settings.policy_of(record)?.limits;
    if record.grant_types.is_empty() {
        let limits = &mut envelope.policy.limits;
        limits.tier = limits.tier.saturating_mul(RESOURCE_SERVER_TIER);
    }
    Ok(envelope)
}

fn describe_token(
    settings: &Settings,
    record: &ClientRecord,
    token: Token,
    standing: Standing,
) -> Result<Active, &'static str> {
    match token {
        Token::Access(claims) => Ok(access_token(*claims)),
        Token::Refresh(token) => {
            if !may_see(record, |audience| standing.resources.iter().any(|r| r == audience)) {
                return Err("audience not the caller's");
            }
            Ok(refresh_token(settings, &token, standing))
        }
    }
}

/// What the token says: its claims hold until it expires, also if the session has moved to another
/// organization since.
fn access_token(claims: AccessToken) -> Active {
    Active {
        active: true,
        iss: claims.iss,
        sub: claims.sub,
        client_id: claims.client_id,
        scope: claims.scope,
        sid: claims.sid,
        exp: claims.exp,
        iat: claims.iat,
        aud: Some(claims.aud),
        jti: Some(claims.jti),
        token_type: Some(if claims.cnf.is_some() { dpop::SCHEME } else { "Bearer" }),
        org: claims.org,
        roles: claims.roles,
        cnf: claims.cnf,
    }
}

/// What the session says: the token itself names nothing else.
fn refresh_token(settings: &Settings, token: &RefreshToken, standing: Standing) -> Active {
    Active {
        active: true,
        iss: settings.issuer.clone(),
        sub: standing.subject.id,
        client_id: standing.client_id,
        scope: scope::join(&standing.scopes),
        sid: token.session,
        exp: standing.expires_at / 1000,
        iat: standing.rotated_at / 1000,
        aud: None,
        jti: None,
        token_type: None,
        org: standing.subject.organization,
        roles: standing.subject.roles,
        cnf: standing.key.map(|jkt| Confirmation { jkt }),
    }
}

/// Whether the caller is registered for one of the token's audiences.
fn may_see(record: &ClientRecord, has_audience: impl Fn(&str) -> bool) -> bool {
    record.introspect_audiences.iter().any(|known| known == "*" || has_audience(known))
}
