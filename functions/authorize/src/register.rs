//! Clients that register themselves (RFC 7591) and manage that (RFC 7592).

use auth::registration::{self, Manage, ManageError};
use host::respond;
use http::header::WWW_AUTHENTICATE;
use http::{Method, StatusCode};
use observe::Facts;
use ports::{Platform, Request, Response};
use serde_json::json;

use crate::handler::Desk;

/// RFC 7591 section 3.
pub(crate) async fn register(platform: &impl Platform, desk: &Desk, request: &Request) -> Response {
    let mut facts = Facts::default();
    let (headers, body) = (request.headers(), request.body());
    let registered =
        registration::register(platform, &desk.service, &desk.client, headers, body).await;
    let response = match registered {
        Ok(registered) => {
            facts.client_id = Some(registered.client_id);
            facts.outcome = Some("registered".to_owned());
            let response = respond::oauth(StatusCode::CREATED, &registered.body);
            respond::budgeted(response, registered.budget, platform.now())
        }
        Err(failure) => respond::failure(failure, platform.now(), &mut facts),
    };
    respond::noted(response, facts)
}

/// RFC 7592 section 2.
pub(crate) async fn manage(
    platform: &impl Platform,
    desk: &Desk,
    client_id: &str,
    request: &Request,
) -> Response {
    let headers = request.headers();
    let asked = match *request.method() {
        Method::PUT => Manage::Change(request.body()),
        Method::DELETE => Manage::Remove,
        _ => Manage::Read,
    };
    let (service, client) = (&desk.service, &desk.client);
    let mut facts = Facts { client_id: Some(client_id.to_owned()), ..Facts::default() };
    let managed = registration::manage(platform, service, client, headers, client_id, asked).await;
    let response = match managed {
        Ok(Some(registration)) => respond::oauth(StatusCode::OK, &registration),
        Ok(None) => respond::empty(StatusCode::NO_CONTENT),
        Err(ManageError::Token) => {
            facts.client_id = None;
            foreign()
        }
        Err(ManageError::Failure(failure)) => respond::failure(failure, platform.now(), &mut facts),
    };
    respond::noted(response, facts)
}

/// RFC 7592 section 2.1: whoever has not the token is not told whether there is such a client.
fn foreign() -> Response {
    let told = "the token is not that of the registration";
    let body = json!({ "error": "invalid_token", "error_description": told });
    let mut response = respond::oauth(StatusCode::UNAUTHORIZED, &body);
    respond::set(&mut response, WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"");
    response
}
