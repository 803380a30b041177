use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, X_FRAME_OPTIONS,
};
use http::{HeaderName, StatusCode};
use ports::Response;

use crate::respond::{empty, set};

/// A page for people. It runs nothing and loads nothing, posts its forms to us alone, and no other page
/// can frame it, hold on to its window or learn its address; no cache may keep it.
pub fn html(status: StatusCode, page: String) -> Response {
    let mut response = Response::new(page.into());
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, pages::POLICY),
        (CACHE_CONTROL, "no-store"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        set(&mut response, name, value);
    }
    response
}

/// Go on to another page by GET, after a form or instead of one that is not for whoever asks.
pub fn see_other(location: &str) -> Response {
    let mut response = empty(StatusCode::SEE_OTHER);
    set(&mut response, LOCATION, location);
    set(&mut response, CACHE_CONTROL, "no-store");
    response
}
