//! What people see: the way to the next place, the question, or why it goes no further.

use auth::Failure;
use auth::authorize::{self, Answered, Ask, Back, Departure, Next, Visit, told};
use data::clients::ClientOrigin;
use host::respond;
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use observe::Facts;
use pages::{Client, ConsentPage, ErrorPage, Origin, ReturningPage};
use ports::route::ACCOUNT;
use ports::{Platform, Request, Response};

use crate::handler::{Desk, form};

/// A client sends a person.
pub(crate) async fn authorize(
    platform: &impl Platform,
    desk: &Desk,
    request: &Request,
) -> Response {
    let (headers, query) = (request.headers(), request.uri().query());
    let visit = authorize::authorize(platform, &desk.service, &desk.own, headers, query).await;
    shown(desk, visit)
}

/// Somebody signs in without a client.
pub(crate) fn login(platform: &impl Platform, desk: &Desk, request: &Request) -> Response {
    let (headers, query) = (request.headers(), request.uri().query());
    match authorize::login(platform, &desk.service, &desk.own, headers, query) {
        Ok(Departure { location, cookies }) => {
            let response = keeping(respond::see_other(&location), &cookies);
            respond::noted(response, Facts::outcome("sign_in"))
        }
        Err(failure) => stopped(&failure),
    }
}

/// AuthKit sends them back.
pub(crate) async fn callback(platform: &impl Platform, desk: &Desk, request: &Request) -> Response {
    let (headers, query) = (request.headers(), request.uri().query());
    match authorize::callback(platform, &desk.service, &desk.own, headers, query).await {
        Ok(Back::Visit(visit)) => shown(desk, Ok(visit)),
        Ok(Back::Account(cookies)) => {
            let response = keeping(respond::see_other(ACCOUNT), &cookies);
            respond::noted(response, Facts::outcome("signed_in"))
        }
        Err(failure) => stopped(&failure),
    }
}

/// They answer.
pub(crate) async fn consent(platform: &impl Platform, desk: &Desk, request: &Request) -> Response {
    match answered(platform, desk, request).await {
        Ok(Answered { client, allowed, visit }) => {
            let location = visit.location(&desk.service.issuer).unwrap_or_default();
            let page = ReturningPage { client: &client.name, location: &location, allowed };
            let response = respond::html(StatusCode::OK, pages::returning(&page));
            respond::noted(response, facts(&visit))
        }
        Err(failure) => stopped(&failure),
    }
}

async fn answered(
    platform: &impl Platform,
    desk: &Desk,
    request: &Request,
) -> Result<Answered, Failure> {
    let form = form(request)?;
    authorize::answer(platform, &desk.service, &desk.own, request.headers(), &form).await
}

fn shown(desk: &Desk, visit: Result<Visit, Failure>) -> Response {
    let visit = match visit {
        Ok(visit) => visit,
        Err(failure) => return stopped(&failure),
    };
    let response = match (&visit.next, visit.location(&desk.service.issuer)) {
        (Ok(Next::Ask(ask)), _) => asked(ask, &visit.target.redirect_uri),
        (_, location) => respond::see_other(&location.unwrap_or_default()),
    };
    respond::noted(keeping(response, &visit.cookies), facts(&visit))
}

fn keeping(mut response: Response, cookies: &[HeaderValue]) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    response
}

fn asked(ask: &Ask, redirect_uri: &str) -> Response {
    let origin = match ask.client.origin {
        ClientOrigin::Registered => Origin::Registered,
        ClientOrigin::Dynamic => Origin::Dynamic,
        ClientOrigin::Document => Origin::Document,
    };
    let page = ConsentPage {
        client: Client { id: &ask.client.client_id, name: &ask.client.name, origin },
        scopes: &ask.scopes,
        redirect_uri,
        person: ask.email.as_deref(),
        request: &ask.request,
        csrf: &ask.csrf,
    };
    respond::html(StatusCode::OK, pages::consent(&page))
}

/// Nobody else is told, as nothing says whom.
fn stopped(failure: &Failure) -> Response {
    let told = told(failure);
    let (status, title) = match failure {
        Failure::Refused { .. } => (StatusCode::BAD_REQUEST, "This cannot go on"),
        Failure::Forbidden { .. } => (StatusCode::FORBIDDEN, "This answer does not count"),
        Failure::Limited { .. } | Failure::Backoff { .. } | Failure::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment")
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "We have made a mistake"),
    };
    let detail = format!("What is wrong: {}.", told.description);
    let page = ErrorPage { title, detail: &detail, code: Some(told.code.as_str()) };
    let mut response = respond::html(status, pages::error(&page));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response = respond::retry_later(response);
    }
    respond::noted(response, Facts::outcome(told.code.as_str()).because(failure.to_string()))
}

fn facts(visit: &Visit) -> Facts {
    let client_id = Some(visit.target.client_id.clone());
    let facts = match &visit.next {
        Ok(Next::SignIn(_)) => Facts::outcome("sign_in"),
        Ok(Next::Ask(_)) => Facts::outcome("asked"),
        Ok(Next::Code(_)) => Facts::outcome("code"),
        Err(failure) => Facts {
            // The status of a redirect does not say so.
            failed: !matches!(failure, Failure::Refused { .. } | Failure::Forbidden { .. }),
            ..Facts::outcome(told(failure).code.as_str()).because(failure.to_string())
        },
    };
    Facts { client_id, ..facts }
}
