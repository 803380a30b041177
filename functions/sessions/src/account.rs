use auth::account::{self, Done, NoOrder, Order, Overview};
use auth::login::{self, Login, LoginSettings};
use auth::{Failure, Settings};
use data::clients::ClientOrigin;
use host::respond;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{Method, StatusCode};
use oauth::form::Form;
use observe::Facts;
use pages::{AccountPage, App, Client, ErrorPage, Notice, Origin, Session};
use ports::route::{ACCOUNT, ACCOUNT_OTHERS, ACCOUNT_SESSION, ACCOUNT_SIGN_OUT, Match};
use ports::{Clock, Platform, Request, Response};

use crate::handler::SessionsSettings;

/// Where somebody signs in who wants to see the page.
const SIGN_IN: &str = "/oauth/login?return_to=/account";

/// The account page and its forms.
pub(crate) async fn answer(
    platform: &impl Platform,
    settings: &SessionsSettings,
    found: &Match<'_>,
    request: &Request,
) -> Response {
    let SessionsSettings { service, login, .. } = settings;
    if *request.method() == Method::POST {
        return posted(platform, service, login, found, request).await;
    }
    let person = match login::current(platform, service, login, request.headers()).await {
        Ok(Some(person)) => person,
        Ok(None) => return refused(NoOrder::SignedOut, platform),
        Err(failure) => return stopped(&failure, platform),
    };
    match account::overview(platform, service, &person).await {
        Ok(overview) => shown(platform, login, &person, &overview, request),
        Err(failure) => stopped(&failure, platform),
    }
}

fn shown(
    platform: &impl Clock,
    settings: &LoginSettings,
    person: &Login,
    overview: &Overview,
    request: &Request,
) -> Response {
    let ids: Vec<_> = overview.sessions.iter().map(|one| one.view.id.to_string()).collect();
    let sessions: Vec<_> =
        overview.sessions.iter().zip(&ids).map(|(one, id)| session(one, id)).collect();
    let apps: Option<Vec<_>> =
        overview.apps.as_ref().map(|apps| apps.iter().map(connected).collect());
    let query = Form::of_query(request.uri().query()).unwrap_or_default();
    let page = AccountPage {
        person: person.email.as_deref().unwrap_or(&person.user),
        sessions: &sessions,
        apps: apps.as_deref(),
        notice: query.get("done").and_then(Notice::of),
        csrf: &account::csrf(settings, person).unwrap_or_default(),
        now: platform.now() / 1000,
    };
    respond::html(StatusCode::OK, pages::account(&page))
}

fn session<'a>(one: &'a account::Session, id: &'a str) -> Session<'a> {
    let view = &one.view;
    Session {
        id,
        client: &one.client,
        device: &view.device.label,
        network: view.network.as_deref(),
        country: view.country.as_deref(),
        created_at: view.created_at / 1000,
        last_seen_at: view.last_seen_at / 1000,
        ends_at: view.idle_end / 1000,
        flagged: one.unusual,
        reasons: &view.risk.reasons,
        here: one.here,
    }
}

fn connected(app: &account::App) -> App<'_> {
    let origin = match app.origin {
        ClientOrigin::Registered => Origin::Registered,
        ClientOrigin::Dynamic => Origin::Dynamic,
        ClientOrigin::Document => Origin::Document,
    };
    let consent = &app.consent;
    App {
        client: Client { id: &consent.client_id, name: &consent.client_name, origin },
        scopes: &consent.scopes,
        since: consent.since,
    }
}

/// 1. read the form, 2. know who posted it, 3. do it, 4. back to the page, which says what was done.
async fn posted(
    platform: &impl Platform,
    service: &Settings,
    settings: &LoginSettings,
    found: &Match<'_>,
    request: &Request,
) -> Response {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // A form that cannot be read says nothing.
    let form = Form::parse(content_type, request.body()).unwrap_or_default();
    let admitted = account::admit(platform, service, settings, request.headers(), &form);
    let person = match admitted.await {
        Ok(person) => person,
        Err(why) => return refused(why, platform),
    };
    let order = match (found.route.path, found.id) {
        (ACCOUNT_SESSION, Some(session)) => Order::End(session.to_owned()),
        (ACCOUNT_OTHERS, _) => Order::EndOthers,
        (ACCOUNT_SIGN_OUT, _) => Order::SignOut,
        _ => match form.get("client_id") {
            Some(client_id) => Order::Disconnect(client_id.to_owned()),
            None => return refused(NoOrder::Incomplete, platform),
        },
    };
    match account::perform(platform, service, &person, &order).await {
        Ok(Done::Ended) => back(Notice::Ended),
        Ok(Done::Gone) => back(Notice::Gone),
        Ok(Done::OthersEnded) => back(Notice::OthersEnded),
        Ok(Done::Disconnected) => back(Notice::Disconnected),
        Ok(Done::SignedOut) => signed_out(settings, Facts::outcome("signed_out")),
        // The browser forgets the login; only a copy of it, if there is one, could be of use.
        Err(failure) if order == Order::SignOut => {
            let facts = Facts::outcome("signed_out_here").because(failure.to_string());
            signed_out(settings, Facts { failed: true, ..facts })
        }
        Err(Failure::Limited { .. }) => back(Notice::TooMany),
        Err(failure) => stopped(&failure, platform),
    }
}

fn signed_out(settings: &LoginSettings, facts: Facts) -> Response {
    let mut response = respond::html(StatusCode::OK, pages::signed_out());
    response.headers_mut().insert(SET_COOKIE, login::sign_out_cookie(settings));
    respond::noted(response, facts)
}

fn back(notice: Notice) -> Response {
    let response = respond::see_other(&format!("{ACCOUNT}?done={}", notice.name()));
    respond::noted(response, Facts::outcome(notice.name()))
}

fn refused(why: NoOrder, platform: &impl Clock) -> Response {
    let cause = why.to_string();
    let outcome = if why == NoOrder::SignedOut { "sign_in" } else { "refused" };
    let response = match why {
        NoOrder::Failed(failure) => return stopped(&failure, platform),
        NoOrder::SignedOut => respond::see_other(SIGN_IN),
        NoOrder::Stale | NoOrder::Incomplete => back(Notice::Stale),
        NoOrder::Elsewhere => {
            let page = ErrorPage {
                title: "Nothing was changed",
                detail: "Another site tried to change something in your account. You need not do \
                    anything.",
                code: None,
            };
            respond::html(StatusCode::FORBIDDEN, pages::error(&page))
        }
    };
    respond::noted(response, Facts::outcome(outcome).because(cause))
}

fn stopped(failure: &Failure, platform: &impl Clock) -> Response {
    let cause = failure.to_string();
    let page = |status, title, detail| {
        respond::html(status, pages::error(&ErrorPage { title, detail, code: None }))
    };
    let response = match failure {
        Failure::Limited { budget } => {
            let detail = "The page was loaded many times in a short time. Please wait a minute.";
            let response = page(StatusCode::TOO_MANY_REQUESTS, "Too many requests", detail);
            respond::limited(response, budget, platform.now())
        }
        Failure::Unavailable(_) | Failure::Misconfigured(_) => {
            let detail = "We cannot show or change your account at the moment. Please try again in \
                a few minutes.";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            respond::retry_later(page(status, "Not available at the moment", detail))
        }
        _ => {
            let detail = "The fault is ours. Please try again in a few minutes.";
            page(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", detail)
        }
    };
    respond::noted(response, Facts::outcome("failed").because(cause))
}
