//! Requests and responses as the platform has them, and as we do. Every call across the border between
//! wasm and JavaScript costs about as much as a hash, so headers cross it all at once, as JSON, and
//! bodies whole.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{CONTENT_LENGTH, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use ports::Response;
use worker::js_sys::{Array, JSON, Uint8Array};
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::Fetcher;
use worker::{ByteStream, web_sys};

use super::place;
use crate::{BodyError, respond};

/// The URI type takes no longer ones.
const MAX_URL: usize = 65_534;

/// All of a request but its body, or the answer to one that has no such parts.
pub(super) fn parts(request: &web_sys::Request) -> Result<Parts, Response> {
    let refuse = |status, detail| respond::problem(status, "invalid_request", detail);
    let url = request.url();
    let uri: Uri = url.parse().map_err(|_| match url.len() {
        0..MAX_URL => refuse(StatusCode::BAD_REQUEST, "unreadable URL"),
        _ => refuse(StatusCode::URI_TOO_LONG, "the URL is too long"),
    })?;
    let method = Method::from_bytes(request.method().as_bytes())
        .map_err(|_| refuse(StatusCode::BAD_REQUEST, "unreadable method"))?;
    let (mut parts, ()) = http::Request::new(()).into_parts();
    (parts.method, parts.uri) = (method, uri);
    parts.headers = headers(&request.headers());
    parts.extensions.insert(place::of(request));
    Ok(parts)
}

/// Read a body as far as its limit; of a larger one no more than the limit is ever held.
pub(super) async fn read(
    request: &web_sys::Request,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match announced.and_then(|length| length.parse::<u64>().ok()) {
        Some(0) => Ok(Bytes::new()),
        Some(length) if length > limit as u64 => Err(BodyError::TooLarge),
        // The platform holds a body to the length that was announced.
        Some(_) => {
            let whole = request.array_buffer().map_err(|_| BodyError::Unreadable)?;
            let whole = JsFuture::from(whole).await.map_err(|_| BodyError::Unreadable)?;
            let body = Uint8Array::new(&whole);
            if body.length() as usize > limit {
                return Err(BodyError::TooLarge);
            }
            Ok(body.to_vec().into())
        }
        None => read_stream(request, limit).await,
    }
}

/// A response for the platform.
pub(super) fn to_js(response: Response) -> Result<JsValue, JsValue> {
    let (parts, body) = response.into_parts();
    let headers = joined(&parts.headers)?;
    let init = serde_json::json!({ "status": parts.status.as_u16(), "headers": headers });
    let init: web_sys::ResponseInit = JSON::parse(&init.to_string())?.unchecked_into();
    // Some statuses may have no body, not even an empty one.
    let body = (!body.is_empty()).then(|| Uint8Array::from(&*body));
    let made = web_sys::Response::new_with_opt_buffer_source_and_init(body.as_deref(), &init)?;
    for cookie in parts.headers.get_all(SET_COOKIE) {
        let cookie = cookie.to_str().map_err(|error| error.to_string())?;
        made.headers().append(SET_COOKIE.as_str(), cookie)?;
    }
    Ok(made.into())
}

/// Post a text to a Worker or an object of ours, and read its answer: the status and the body.
pub(super) async fn post(to: &Fetcher, url: &str, text: &str) -> Result<(u16, Vec<u8>), JsValue> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&JsValue::from_str(text));
    let answer = JsFuture::from(to.fetch_with_str_and_init(url, &init)?).await?;
    let answer: web_sys::Response = answer.dyn_into()?;
    let body = JsFuture::from(answer.array_buffer()?).await?;
    Ok((answer.status(), Uint8Array::new(&body).to_vec()))
}

fn headers(headers: &web_sys::Headers) -> HeaderMap {
    let pairs = JSON::stringify(&Array::from(headers)).ok().and_then(|text| text.as_string());
    let pairs = pairs.and_then(|text| serde_json::from_str::<Vec<(String, String)>>(&text).ok());
    let named = pairs.into_iter().flatten().filter_map(|(name, value)| {
        // What is no header cannot be meant for us.
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(&value).ok()?))
    });
    // `collect` would replace the first of two equal names.
    let mut headers = HeaderMap::new();
    for (name, value) in named {
        headers.append(name, value);
    }
    headers
}

/// Headers by name, which the platform reads faster than a list of pairs. Several of a name are one
/// with commas (RFC 9110 section 5.3); those that set cookies, which are not, go by themselves.
fn joined(headers: &HeaderMap) -> Result<BTreeMap<&str, String>, String> {
    let mut joined = BTreeMap::<&str, String>::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != SET_COOKIE) {
        let value = value.to_str().map_err(|error| error.to_string())?;
        let all = joined.entry(name.as_str()).or_default();
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(value);
    }
    Ok(joined)
}

/// A body of unknown length.
async fn read_stream(request: &web_sys::Request, limit: usize) -> Result<Bytes, BodyError> {
    let Some(stream) = request.body() else { return Ok(Bytes::new()) };
    let mut stream = ByteStream::from(stream);
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| BodyError::Unreadable)?;
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}
