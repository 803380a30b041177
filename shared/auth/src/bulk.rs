//! Many tokens revoked in one request.

use std::collections::BTreeMap;

use data::clients::ClientRecord;
use futures_util::future::join_all;
use ledger::{Address, Answer, Budget, Command, Outcome, Refusal, Revoke};
use oauth::form::{Form, TOKENS};
use oauth::{ErrorCode, OAuthError};
use ports::{Clock, Ledgers, Signatures};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::presented::{FORGED, Token};
use crate::revoke::reason;
use crate::settings::{ClientSettings, Settings, Verifier};

/// A request to revoke up to [`Command::MAX_TOKENS`] tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    tokens: Vec<One>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct One {
    token: String,
    cascade: bool,
    reason: Option<String>,
}

/// What came of one token, in the order of the request. A token that is unknown, malformed or expired
/// is as good as revoked, and looks it: nobody learns which tokens there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Whether it is worth nothing now.
    pub revoked: bool,
    /// Why not: it is another client's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
}

/// What is told of a bulk revocation.
pub struct BulkRevoked {
    /// For each token.
    pub results: Vec<Entry>,
    /// The least that is left of a person's rate limit.
    pub budget: Option<Budget>,
    /// How many tokens nobody has minted.
    pub forged: usize,
}

impl Bulk {
    /// From a form with one `tokens` for each token, where `cascade` and `reason` are for all of them.
    /// `None` if the form asks for none in this way.
    ///
    /// # Errors
    /// `invalid_request` for too many of them, or `token` besides.
    pub fn of_form(form: &Form) -> Result<Option<Self>, OAuthError> {
        if form.get(TOKENS).is_none() {
            return Ok(None);
        }
        if form.get("token").is_some() {
            return Err(OAuthError::invalid_request("either token or tokens"));
        }
        let (cascade, reason) = (form.flag("cascade")?, reason(form.get("reason"))?);
        let one = |token: &str| One { token: token.to_owned(), cascade, reason: reason.clone() };
        Self::bounded(form.all(TOKENS).map(one).collect()).map(Some)
    }

    /// From a JSON object, with the client's credentials as a form has them.
    ///
    /// # Errors
    /// `invalid_request` for anything else, or too many tokens.
    pub fn of_json(body: &[u8]) -> Result<(Form, Self), OAuthError> {
        #[derive(Deserialize)]
        struct Body {
            client_id: Option<String>,
            client_secret: Option<String>,
            reason: Option<String>,
            tokens: Vec<Item>,
        }
        #[derive(Deserialize)]
        struct Item {
            token: String,
            #[serde(default)]
            cascade: bool,
            reason: Option<String>,
        }
        let shape = "the body must be a JSON object with an array tokens of objects with token";
        // An object first: a struct would also be read from an array of its values.
        let members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(body).map_err(|_| OAuthError::invalid_request(shape))?;
        let Body { client_id, client_secret, reason: all, tokens } =
            Body::deserialize(serde_json::Value::from(members))
                .map_err(|_| OAuthError::invalid_request(shape))?;
        let form = Form::of([("client_id", client_id), ("client_secret", client_secret)])?;
        let one = |item: Item| {
            let reason = reason(item.reason.as_deref().or(all.as_deref()))?;
            Ok(One { token: item.token, cascade: item.cascade, reason })
        };
        let tokens = tokens.into_iter().map(one).collect::<Result<_, OAuthError>>()?;
        Ok((form, Self::bounded(tokens)?))
    }

    fn bounded(tokens: Vec<One>) -> Result<Self, OAuthError> {
        match tokens.len() {
            0 => Err(OAuthError::invalid_request("tokens is empty")),
            1..=Command::MAX_TOKENS => Ok(Self { tokens }),
            _ => Err(OAuthError::invalid_request("more than 100 tokens")),
        }
    }
}

/// Revoke many tokens of an authenticated client, each as by itself. Each person's ledger is asked
/// once, and spends one of their revocations. Without an answer of all of them there is no success:
/// what has been revoked by then stays so, and the request can be repeated.
///
/// # Errors
/// [`Failure::Limited`] if a person's limit is met, [`Failure::Unavailable`] if a ledger is away.
pub async fn revoke<P: Clock + Signatures + Ledgers>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    verifier: &Verifier,
    record: &ClientRecord,
    bulk: &Bulk,
) -> Result<BulkRevoked, Failure> {
    let policy = settings.policy_of(record)?;
    let mut done =
        BulkRevoked { results: vec![REVOKED; bulk.tokens.len()], budget: None, forged: 0 };
    let mut ledgers: BTreeMap<Address, (Vec<usize>, Vec<Revoke>)> = BTreeMap::new();
    for (at, One { token, cascade, reason }) in bulk.tokens.iter().enumerate() {
        let token = match Token::read(platform, settings, client, verifier, token).await? {
            Ok(token) => token,
            Err(why) => {
                done.forged += usize::from(why == FORGED);
                continue;
            }
        };
        let (address, session, credential) = token.place(settings);
        let (client_id, reason) = (record.client_id.clone(), reason.clone());
        let (places, tokens) = ledgers.entry(address).or_default();
        places.push(at);
        tokens.push(Revoke { session, credential, client_id, cascade: *cascade, reason });
    }
    let asked = ledgers.into_iter().map(async |(address, (places, tokens))| {
        let mut envelope = settings.envelope(Command::RevokeMany { tokens });
        envelope.policy = policy.clone();
        (places, platform.ask(&address, &envelope).await)
    });
    for (places, answer) in join_all(asked).await {
        done.take(&places, answer?)?;
    }
    Ok(done)
}

impl BulkRevoked {
    /// The answer of one ledger, for the tokens at these places.
    fn take(&mut self, places: &[usize], answer: Answer) -> Result<(), Failure> {
        let each = match answer.outcome {
            Outcome::Each(each) if each.len() == places.len() => each,
            Outcome::Limited(budget) => return Err(Failure::Limited { budget }),
            other => return Err(Failure::unexpected(&other)),
        };
        for (at, outcome) in places.iter().zip(each) {
            let entry = match outcome {
                Outcome::Revoked { .. } => REVOKED,
                Outcome::Refused(Refusal::ForeignClient) => FOREIGN,
                other => return Err(Failure::unexpected(&other)),
            };
            if let Some(result) = self.results.get_mut(*at) {
                *result = entry;
            }
        }
        let budgets = self.budget.into_iter().chain(answer.budget);
        self.budget = budgets.min_by_key(|budget| budget.remaining);
        Ok(())
    }
}

const REVOKED: Entry = Entry { revoked: true, error: None };
const FOREIGN: Entry = Entry { revoked: false, error: Some(ErrorCode::InvalidGrant.as_str()) };
