//! Where a request comes from, as the platform guesses it from the address: `Request.cf`.

use ports::Place;
use worker::js_sys::Reflect;
use worker::wasm_bindgen::JsValue;
use worker::web_sys::Request;

/// What the platform answers for addresses of nobody and of the Tor network.
const NOWHERE: [&str; 2] = ["XX", "T1"];

/// The place of a request. Every member may be missing, and each is of the kind that its
/// documentation says or is left out: the SDK's own reader would panic.
pub(super) fn of(request: &Request) -> Place {
    let cf = Reflect::get(request, &"cf".into()).unwrap_or(JsValue::UNDEFINED);
    if !cf.is_object() {
        return Place::default();
    }
    let member = |name: &str| Reflect::get(&cf, &name.into()).ok();
    let text = |name| member(name).and_then(|value| value.as_string());
    let degrees = |name| text(name).and_then(|text| text.parse::<f64>().ok());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers of autonomous systems have 32 bits"
    )]
    let asn = member("asn").and_then(|value| value.as_f64()).map(|number| number as u32);
    Place {
        country: text("country").filter(|country| !NOWHERE.contains(&country.as_str())),
        asn: asn.filter(|number| *number > 0),
        degrees: degrees("latitude").zip(degrees("longitude")),
    }
}
