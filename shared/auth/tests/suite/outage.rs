//! A dependency away: what goes on, what pauses, and that nobody is told that a good token is bad.

use auth::Failure;
use bytes::Bytes;
use data::DataError;
use futures::executor::block_on;
use http::StatusCode;
use oauth::form::Form;
use oauth::{ErrorCode, OAuthError};
use ports::LedgerError;
use testing::{API_SECRET, Dependency, Fault};

use crate::support::{Edge, MINUTE, SECOND, basic, form, subject};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Exchange,
    Refresh,
    Introspect,
    Revoke,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Exchange, Self::Refresh, Self::Introspect, Self::Revoke];
}

struct Tokens {
    authkit: String,
    refresh: String,
    access: String,
}

/// The whole way of a request: the client, then its use case.
fn perform(edge: &Edge, operation: Operation, tokens: &Tokens) -> Result<(), Failure> {
    block_on(async {
        let cli = |parameters: &[(&str, &str)]| -> Form {
            form(&[&[("client_id", "atoms-cli")], parameters].concat())
        };
        match operation {
            Operation::Exchange => {
                let form = cli(&subject(&tokens.authkit));
                let record = edge.authenticate(None, &form).await?;
                edge.exchange_as(&record, &form).await.map(drop)
            }
            Operation::Refresh => {
                let form = cli(&[("refresh_token", &tokens.refresh)]);
                let record = edge.authenticate(None, &form).await?;
                edge.refresh_as(&record, &form).await.map(drop)
            }
            Operation::Introspect => {
                let header = basic("atoms-api", API_SECRET);
                let form = form(&[("token", &tokens.access)]);
                let record = edge.authenticate(Some(&header), &form).await?;
                let (answer, _) = edge.introspect_by(&record, &form).await?;
                assert_eq!(answer["active"], true, "an outage is never 'inactive'");
                Ok(())
            }
            Operation::Revoke => {
                let form = cli(&[("token", &tokens.refresh)]);
                let record = edge.authenticate(None, &form).await?;
                edge.revoke_as(&record, &form).await.map(drop)
            }
        }
    })
}

fn faults(dependency: Dependency) -> Vec<Fault> {
    let silent = [Fault::Away, Fault::Timeout, Fault::AnswerLost];
    if matches!(dependency, Dependency::Kv | Dependency::Ledger) {
        return silent.to_vec();
    }
    let answers = [
        (StatusCode::OK, "<html>"),
        (StatusCode::OK, "{\"results\":[]}"),
        (StatusCode::BAD_REQUEST, "{\"code\":\"53300\",\"message\":\"too many connections\"}"),
        (StatusCode::BAD_REQUEST, "{\"code\":\"57014\"}"),
        (StatusCode::BAD_REQUEST, "{\"code\":\"40001\"}"),
        (StatusCode::UNAUTHORIZED, ""),
        (StatusCode::NOT_FOUND, ""),
        (StatusCode::TOO_MANY_REQUESTS, ""),
        (StatusCode::INTERNAL_SERVER_ERROR, ""),
        (StatusCode::BAD_GATEWAY, "{}"),
    ];
    let answers = answers
        .into_iter()
        .map(|(status, body)| Fault::Answers(status, Bytes::from_static(body.as_bytes())));
    silent.into_iter().chain(answers).collect()
}

/// A person signed in; `warm` if the caches have seen everybody.
fn prepared(warm: bool) -> (Edge, Tokens) {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let tokens = Tokens {
        authkit: edge.world.authkit("ada", "another sign-in"),
        refresh: issued.refresh().to_owned(),
        access: issued.access().to_owned(),
    };
    if warm {
        for operation in [Operation::Exchange, Operation::Introspect] {
            perform(&edge, operation, &tokens).unwrap();
        }
        edge.world.platform.advance(2 * MINUTE);
    } else {
        edge.world.platform.forget_cache();
    }
    (edge, tokens)
}

#[test]
fn the_cache_away_is_never_told_as_a_bad_token_or_client() {
    an_outage_is_told_honestly(Dependency::Kv);
}

#[test]
fn f15_the_ledger_away_is_never_told_as_a_bad_token_or_client() {
    an_outage_is_told_honestly(Dependency::Ledger);
}

#[test]
fn the_database_away_is_never_told_as_a_bad_token_or_client() {
    an_outage_is_told_honestly(Dependency::Sql);
}

#[test]
fn the_provider_away_is_never_told_as_a_bad_token_or_client() {
    an_outage_is_told_honestly(Dependency::Workos);
}

fn an_outage_is_told_honestly(dependency: Dependency) {
    for fault in faults(dependency) {
        for (operation, warm) in Operation::ALL.into_iter().flat_map(|o| [(o, true), (o, false)]) {
            let (edge, tokens) = prepared(warm);
            edge.world.platform.fail(dependency, fault.clone());
            let outcome = perform(&edge, operation, &tokens);
            let case = format!("{operation:?}, {fault:?}, warm: {warm}");
            let honest =
                matches!(outcome, Ok(()) | Err(Failure::Unavailable(_) | Failure::Internal(_)));
            assert!(honest, "{case}: {outcome:?}");
            edge.world.platform.heal(dependency);
            // What a client waits before it tries again, and less than Retry-After says.
            edge.world.platform.advance(SECOND);
            let after = perform(&edge, operation, &tokens);
            assert_eq!(after, Ok(()), "{case}: nothing was lost by it");
        }
    }
}

#[test]
fn what_goes_on_without_whom() {
    use Operation::{Exchange, Introspect, Refresh, Revoke};
    for (dependency, warm, pauses) in [
        (Dependency::Kv, true, [].as_slice()),
        (Dependency::Kv, false, &[]),
        (Dependency::Ledger, true, &[Exchange, Refresh, Introspect, Revoke]),
        (Dependency::Sql, true, &[Exchange]),
        (Dependency::Sql, false, &[Exchange, Refresh, Introspect, Revoke]),
        (Dependency::Workos, true, &[]),
        (Dependency::Workos, false, &[Exchange]),
    ] {
        for operation in Operation::ALL {
            let (edge, tokens) = prepared(warm);
            edge.world.platform.fail(dependency, Fault::Away);
            let outcome = perform(&edge, operation, &tokens);
            let case = format!("{operation:?} without {dependency:?}, warm: {warm}: {outcome:?}");
            if pauses.contains(&operation) {
                assert!(matches!(outcome, Err(Failure::Unavailable(_))), "{case}");
            } else {
                assert_eq!(outcome, Ok(()), "{case}");
            }
        }
    }
}

#[test]
fn v10_a_revocation_that_nobody_can_make_is_no_success() {
    for fault in faults(Dependency::Ledger) {
        let (edge, tokens) = prepared(true);
        edge.world.platform.fail(Dependency::Ledger, fault.clone());
        for token in [&tokens.refresh, &tokens.access] {
            let answer = edge.revoke("atoms-cli", &[("token", token)]);
            assert!(matches!(answer, Err(Failure::Unavailable(_))), "{fault:?}: {answer:?}");
        }
        edge.world.platform.heal(Dependency::Ledger);
        let revoked = edge.revoke("atoms-cli", &[("token", &tokens.refresh)]);
        assert_eq!(revoked, Ok("revoked"), "and it may be repeated");
        assert!(!edge.active(&tokens.access));
    }
}

#[test]
fn a_refresh_whose_answer_was_lost_is_repeated_with_the_same_successor() {
    let (edge, tokens) = prepared(true);
    edge.world.platform.fail_times(Dependency::Ledger, Fault::AnswerLost, 1);
    let lost = perform(&edge, Operation::Refresh, &tokens);
    assert!(matches!(lost, Err(Failure::Unavailable(_))));
    let answer = edge.refresh("atoms-cli", &tokens.refresh).unwrap();
    assert!(answer.repeated, "it had taken effect");
    assert!(!edge.refresh("atoms-cli", answer.refresh()).unwrap().repeated, "and goes on");
}

#[test]
fn causes_become_failures_that_fit() {
    assert!(matches!(Failure::from(LedgerError("x".to_owned())), Failure::Unavailable(_)));
    let away = DataError::Unavailable("x".to_owned());
    assert!(matches!(Failure::from(away), Failure::Unavailable(_)));
    for defect in [
        DataError::Internal("x".to_owned()),
        DataError::NotPermitted,
        DataError::NoOrganization,
        DataError::Conflict { what: "client" },
        DataError::Invalid { field: "name", reason: "is long" },
    ] {
        assert!(matches!(Failure::from(defect), Failure::Internal(_)));
    }
    let told = OAuthError::new(ErrorCode::InvalidScope, "x");
    let Failure::Refused { told: kept, .. } = Failure::from(told.clone()) else {
        panic!("a refusal");
    };
    assert_eq!(kept, told);
}
