//! A person's own audit trail.

use data::Caller;
use data::audit::{Entry, Filter, MAX_PAGE, Place};
use ledger::{AuditKind, AuditOutcome, Link, Millis, SessionId};
use oauth::form::Form;
use ports::Fetch;
use serde::Serialize;

use crate::sessions::SessionsError;
use crate::settings::Settings;

/// Events of a page, unless told otherwise.
const PAGE: u16 = 50;
/// The last second of the year 9999, beyond which databases know no time.
const LAST_SECOND: u64 = 253_402_300_799;
const PARAMETERS: [&str; 8] =
    ["user", "session", "kind", "outcome", "from", "to", "limit", "cursor"];
const OUTCOMES: [(AuditOutcome, &str); 3] = [
    (AuditOutcome::Success, "success"),
    (AuditOutcome::Refused, "refused"),
    (AuditOutcome::Alert, "alert"),
];

/// A page of the trail, the newest event first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditPage {
    /// In order.
    pub events: Vec<AuditEntry>,
    /// The `cursor` of the next page; absent if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One event, as the person it is about sees it. What does not apply is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Its name: its link in the chain, which has no equal.
    pub id: String,
    /// What happened.
    pub kind: String,
    /// When, in seconds.
    pub occurred_at: u64,
    /// `success`, `refused` or `alert`.
    pub outcome: String,
    /// Who caused it: `client`, `operator` or `service`.
    pub actor: String,
    /// To which session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Whose client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// In which organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// Why, or what is to be known besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// On which device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// In which network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// By which request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// In which trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// For how many alike it stands.
    pub count: u32,
}

/// Which part of the trail is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Whose trail, if it is asked for by an operator.
    pub user: Option<String>,
    filter: Filter,
    limit: u16,
}

impl Query {
    /// From the query of the URL. Every parameter is known, well-formed and there at most once: a
    /// filter that was misspelt would show what was not asked for.
    ///
    /// # Errors
    /// [`SessionsError::Filter`].
    pub fn parse(query: Option<&str>) -> Result<Self, SessionsError> {
        let form = Form::of_query(query)
            .map_err(|_| SessionsError::Filter("each filter may be given once, in UTF-8"))?;
        if form.names().any(|name| !PARAMETERS.contains(&name)) {
            return Err(SessionsError::Filter(
                "the filters are session, kind, outcome, from, to, limit and cursor",
            ));
        }
        let session = form.get("session").map(session).transpose()?;
        let kinds = form.get("kind").map(kinds).transpose()?;
        let outcome = form.get("outcome").map(outcome).transpose()?;
        let second = |name| form.get(name).map(seconds).transpose();
        let (from, to) = (second("from")?, second("to")?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(SessionsError::Filter("from must be before to"));
        }
        let after = form.get("cursor").map(place).transpose()?;
        let limit = form.get("limit").map_or(Ok(PAGE), limit)?;
        let user = form.get("user").map(str::to_owned);
        Ok(Self { user, filter: Filter { session, kinds, outcome, from, to, after }, limit })
    }
}

/// The person's trail. Row-level security lets nobody see another's.
///
/// # Errors
/// See [`SessionsError`].
pub async fn list<P: Fetch>(
    platform: &P,
    settings: &Settings,
    person: &Caller,
    query: Query,
) -> Result<AuditPage, SessionsError> {
    let sql = &settings.sql;
    let sql = data::NeonSql::new(platform, sql.url.clone(), sql.connection_string.clone());
    let (entries, next) = data::audit::list(&sql, person, query.filter, query.limit).await?;
    Ok(AuditPage {
        events: entries.into_iter().map(entry).collect(),
        next_cursor: next.as_ref().map(cursor),
    })
}

fn session(text: &str) -> Result<String, SessionsError> {
    let id: Result<SessionId, _> = text.parse();
    id.map(|id| id.to_string()).map_err(|_| SessionsError::Filter("session must be a session's id"))
}

fn kinds(text: &str) -> Result<Vec<String>, SessionsError> {
    let known = |name: &str| AuditKind::ALL.iter().any(|kind| kind.as_str() == name);
    if text.split(',').all(known) {
        Ok(text.split(',').map(str::to_owned).collect())
    } else {
        Err(SessionsError::Filter("kind must be names of events, separated by commas"))
    }
}

fn outcome(text: &str) -> Result<String, SessionsError> {
    let known = OUTCOMES.iter().find(|(_, name)| *name == text);
    known
        .map(|(_, name)| (*name).to_owned())
        .ok_or(SessionsError::Filter("outcome must be success, refused or alert"))
}

fn seconds(text: &str) -> Result<Millis, SessionsError> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= LAST_SECOND);
    seconds
        .map(|seconds: u64| seconds * 1_000)
        .ok_or(SessionsError::Filter("from and to must be seconds since the epoch"))
}

fn limit(text: &str) -> Result<u16, SessionsError> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or(SessionsError::Filter("limit must be a number from 1 to 100"))
}

/// Opaque to clients: the moment and the link of the last event of the page.
fn cursor(place: &Place) -> String {
    oauth::base64url(format!("{}.{}", place.at, place.hash).as_bytes())
}

fn place(text: &str) -> Result<Place, SessionsError> {
    let parse = || {
        let text = String::from_utf8(oauth::from_base64url(text)?).ok()?;
        let (at, hash) = text.split_once('.')?;
        let at = at.parse().ok().filter(|at| *at <= LAST_SECOND * 1_000)?;
        let hash: Link = hash.parse().ok()?;
        Some(Place { at, hash: hash.to_string() })
    };
    parse().ok_or(SessionsError::Filter("cursor must be the next_cursor of a page"))
}

fn entry(entry: Entry) -> AuditEntry {
    AuditEntry {
        id: entry.hash,
        kind: entry.kind,
        occurred_at: entry.at / 1_000,
        outcome: entry.outcome,
        actor: entry.actor,
        session_id: entry.session_id,
        client_id: entry.client_id,
        organization_id: entry.organization_id,
        reason: entry.reason,
        device: entry.device,
        network: entry.network,
        request_id: entry.request_id,
        trace_id: entry.trace_id,
        count: entry.count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> String {
        match Query::parse(Some(query)) {
            Err(SessionsError::Filter(problem)) => problem.to_owned(),
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn without_filters_the_first_page_is_asked_for() {
        let all = Query { user: None, filter: Filter::default(), limit: PAGE };
        for query in [None, Some(""), Some("session=&kind=&cursor=")] {
            assert_eq!(Query::parse(query), Ok(all.clone()), "{query:?}");
        }
    }

    #[test]
    fn every_filter_is_read() {
        let session = "ab".repeat(16);
        let place = Place { at: 1_700_000_000_123, hash: "cd".repeat(32) };
        let text = format!(
            "session={session}&kind=session.created,token.revoked&outcome=alert&from=1&to=2\
             &limit=100&cursor={}",
            cursor(&place)
        );
        let filter = Filter {
            session: Some(session),
            kinds: Some(vec!["session.created".to_owned(), "token.revoked".to_owned()]),
            outcome: Some("alert".to_owned()),
            from: Some(1_000),
            to: Some(2_000),
            after: Some(place),
        };
        assert_eq!(Query::parse(Some(&text)), Ok(Query { user: None, filter, limit: 100 }));
    }

    #[test]
    fn a_bad_filter_is_named() {
        for (query, word) in [
            ("session=x", "session"),
            ("session=ABABABABABABABABABABABABABABABAB", "session"),
            ("kind=session", "kind"),
            ("kind=session.created,", "kind"),
            ("outcome=Success", "outcome"),
            ("from=-1", "from"),
            ("from=1.5", "from"),
            ("to=253402300800", "to"),
            ("to=18446744073709551615", "to"),
            ("from=2&to=2", "before"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=ten", "limit"),
            ("cursor=x", "cursor"),
            ("cursor=MS54", "cursor"),
            ("kinds=session.created", "filters"),
            ("limit=1&limit=2", "once"),
            ("session=%ff", "UTF-8"),
        ] {
            assert!(refused(query).contains(word), "{query}: {}", refused(query));
        }
    }

    #[test]
    fn outcomes_have_the_names_that_the_ledger_gives_them() {
        for (outcome, name) in OUTCOMES {
            assert_eq!(serde_json::to_value(outcome).unwrap(), name);
        }
    }
}
