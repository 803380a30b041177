//! The fields that are recognised, and how each is normalised.

use std::f64::consts::SQRT_2;

use http::HeaderMap;
use serde_json::{Map, Value};

use super::Told;

/// Longer values are cut, in characters.
const MAX_VALUE: usize = 64;

/// Where a field is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In this header of the request.
    Header(&'static str),
    /// In this member of the `device` object.
    Member(&'static str),
}

/// What a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It tells devices apart, by the headers.
    Fingerprint,
    /// It tells devices apart, by the client's own words.
    Described,
    /// It may well change on one device.
    Surroundings,
    /// It changes with every update, or is for people: it is never compared.
    Label,
}

/// A field that is recognised.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name among what is hashed.
    pub name: &'static str,
    /// Where it is told.
    pub source: Source,
    /// What for.
    pub part: Part,
    normalize: fn(&Value) -> Option<String>,
}

/// Every field that is recognised; all others are ignored. `id` stands for all of its part, together
/// with `app` and `platform`: a client that tells it is the same installation whatever else changes.
pub const FIELDS: &[Field] = &[
    // The app and the system come out of these, and are compared without their versions.
    header("user-agent", Part::Label, plain),
    header("sec-ch-ua", Part::Label, plain),
    header("sec-ch-ua-full-version-list", Part::Label, plain),
    header("sec-ch-ua-platform", Part::Label, plain),
    header("sec-ch-ua-platform-version", Part::Label, plain),
    header("sec-ch-ua-mobile", Part::Fingerprint, flag),
    header("sec-ch-ua-arch", Part::Fingerprint, plain),
    header("sec-ch-ua-bitness", Part::Fingerprint, plain),
    header("sec-ch-ua-wow64", Part::Fingerprint, flag),
    header("sec-ch-ua-model", Part::Fingerprint, plain),
    header("sec-ch-ua-form-factors", Part::Fingerprint, plain),
    header("accept-language", Part::Surroundings, language),
    member("id", Part::Described, plain),
    member("name", Part::Label, plain),
    member("app", Part::Described, plain),
    member("app_version", Part::Label, plain),
    member("platform", Part::Described, system_name),
    member("platform_version", Part::Label, plain),
    member("runtime", Part::Described, plain),
    member("runtime_version", Part::Label, plain),
    member("arch", Part::Described, plain),
    member("bitness", Part::Described, plain),
    member("vendor", Part::Described, plain),
    member("model", Part::Described, plain),
    member("form_factor", Part::Described, plain),
    member("mobile", Part::Described, flag),
    member("touch_points", Part::Described, some),
    member("cpu_cores", Part::Described, number),
    member("memory_gb", Part::Described, power_of_two),
    member("language", Part::Surroundings, language),
    member("languages", Part::Surroundings, language),
    member("time_zone", Part::Surroundings, plain),
    member("screen", Part::Surroundings, screen),
    member("color_depth", Part::Surroundings, number),
    member("pixel_ratio", Part::Surroundings, number),
];

const fn header(name: &'static str, part: Part, normalize: fn(&Value) -> Option<String>) -> Field {
    Field { name, source: Source::Header(name), part, normalize }
}

const fn member(name: &'static str, part: Part, normalize: fn(&Value) -> Option<String>) -> Field {
    Field { name, source: Source::Member(name), part, normalize }
}

/// All that is told of a part.
pub(super) fn told(part: Part, headers: &HeaderMap, object: &Map<String, Value>) -> Vec<Told> {
    let of_part = FIELDS.iter().filter(|field| field.part == part);
    let value = |field: &Field| match field.source {
        Source::Header(name) => (field.normalize)(&structured(headers, name)?.into()),
        Source::Member(name) => (field.normalize)(object.get(name)?),
    };
    of_part.filter_map(|field| Some((field.name, value(field)?))).collect()
}

/// What names an installation, if the client names it.
pub(super) fn installation(object: &Map<String, Value>) -> Option<Vec<Told>> {
    let own = ["id", "app", "platform"];
    let all = told(Part::Described, &HeaderMap::new(), object);
    all.iter()
        .any(|(name, _)| *name == "id")
        .then(|| all.into_iter().filter(|(name, _)| own.contains(name)).collect())
}

/// A member's text as it is.
pub(super) fn text<'o>(object: &'o Map<String, Value>, name: &str) -> Option<&'o str> {
    object.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The system by client hint.
pub(super) fn system(headers: &HeaderMap) -> Option<&'static str> {
    platform(&structured(headers, "sec-ch-ua-platform")?)
}

/// The browser by client hint: the brand that is neither the engine's nor made up, so that nobody
/// relies on the list.
pub(super) fn brand(headers: &HeaderMap) -> Option<String> {
    let list = headers.get("sec-ch-ua")?.to_str().ok()?;
    let brands = list.split(',').filter_map(|entry| entry.split('"').nth(1));
    let real = |brand: &&str| {
        let letters: String = brand.chars().filter(char::is_ascii_alphabetic).collect();
        !letters.is_empty() && letters != "Chromium" && !letters.starts_with("Not")
    };
    let own =
        brands.clone().find(real).or_else(|| brands.clone().find(|one| *one == "Chromium"))?;
    let short = ["Google ", "Microsoft "].iter().find_map(|maker| own.strip_prefix(maker));
    Some(short.unwrap_or(own).chars().take(MAX_VALUE).collect())
}

/// A system by the name that it has in labels, whatever it is called.
pub(super) fn platform(text: &str) -> Option<&'static str> {
    Some(match text.trim().to_ascii_lowercase().as_str() {
        "macos" | "mac os x" | "mac" | "darwin" | "macintel" => "macOS",
        "windows" | "win32" | "win" => "Windows",
        "linux" | "x11" => "Linux",
        "android" => "Android",
        "ios" | "iphone" | "ipad" | "ipados" => "iOS",
        "chrome os" | "chromeos" | "chromium os" | "cros" => "ChromeOS",
        _ => return None,
    })
}

/// A header's text without the quotes of structured fields (RFC 9651).
fn structured(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    Some(text.trim_matches('"').to_owned())
}

fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let text: String = text.trim().chars().filter(|character| !character.is_control()).collect();
    let text = text.chars().take(MAX_VALUE).map(|character| character.to_ascii_lowercase());
    Some(text.collect::<String>()).filter(|text| !text.is_empty())
}

fn system_name(value: &Value) -> Option<String> {
    let text = plain(value)?;
    Some(platform(&text).map_or(text, str::to_owned))
}

/// `?1` in headers, a boolean in objects.
fn flag(value: &Value) -> Option<String> {
    let set = match value {
        Value::Bool(set) => *set,
        Value::String(text) if text == "?1" => true,
        Value::String(text) if text == "?0" => false,
        _ => return None,
    };
    Some(set.to_string())
}

/// A whole number is the same with and without a fraction of zero. The standard library would write the
/// others too, with tables of its own beside those of `serde_json`.
fn number(value: &Value) -> Option<String> {
    let number = value.as_f64().filter(|number| *number >= 0.0)?;
    let whole = number as u64;
    Some(if whole as f64 == number { whole.to_string() } else { value.to_string() })
}

/// Whether there is any.
fn some(value: &Value) -> Option<String> {
    value.as_f64().map(|number| (number > 0.0).to_string())
}

/// Memory is told exactly by some and rounded by others.
fn power_of_two(value: &Value) -> Option<String> {
    let number = value.as_f64().filter(|number| *number > 0.0 && number.is_finite())?;
    // A number's own exponent, IEEE 754, and not the C library's logarithm with its tables.
    let bits = number.to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    let mantissa = f64::from_bits(bits & (u64::MAX >> 12) | 1.0_f64.to_bits());
    Some((exponent + i32::from(mantissa > SQRT_2)).to_string())
}

/// The first language, without its region: those that follow change with every keyboard.
fn language(value: &Value) -> Option<String> {
    let first = match value {
        Value::Array(many) => many.first()?.clone(),
        one => one.clone(),
    };
    let text = plain(&first)?;
    let primary = text.split([',', ';', '-', '_']).next().unwrap_or_default().trim();
    Some(primary.to_owned()).filter(|text| !text.is_empty() && text != "*")
}

/// A class by the longer side, so that neither a turned phone nor a zoomed page is another screen.
fn screen(value: &Value) -> Option<String> {
    let longer = match value {
        Value::Object(sides) => {
            let side = |name: &str| sides.get(name).and_then(Value::as_f64);
            side("width")?.max(side("height")?)
        }
        Value::String(text) => {
            let sides = text.split(['x', 'X', '×']).map(pixels);
            sides.collect::<Option<Vec<_>>>()?.into_iter().fold(0.0, f64::max)
        }
        _ => return None,
    };
    let classes = [(1_000.0, "small"), (1_500.0, "medium"), (2_200.0, "large")];
    let class = classes.iter().find(|(up_to, _)| longer <= *up_to);
    (longer > 0.0).then(|| class.map_or("huge", |(_, name)| name).to_owned())
}

/// By the parser that is in every function anyway.
fn pixels(side: &str) -> Option<f64> {
    serde_json::from_slice(side.trim().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_written_as_people_do() {
        for (told, kept) in
            [(json!(8), "8"), (json!(8.0), "8"), (json!(2.625), "2.625"), (json!(0), "0")]
        {
            assert_eq!(number(&told).as_deref(), Some(kept));
        }
        assert_eq!(number(&json!(-1)), None);
        assert_eq!(number(&json!("8")), None);
    }

    #[test]
    fn memory_is_rounded_to_a_power_of_two() {
        for (told, kept) in
            [(0.25, "-2"), (1.0, "0"), (1.4, "0"), (1.5, "1"), (7.8, "3"), (16.0, "4")]
        {
            assert_eq!(power_of_two(&json!(told)).as_deref(), Some(kept), "{told}");
        }
        for exact in 1_u32..10_000 {
            let logarithm = f64::from(exact).log2().round();
            assert_eq!(power_of_two(&json!(exact)), Some(logarithm.to_string()), "{exact}");
        }
        assert_eq!(power_of_two(&json!(0)), None);
        assert_eq!(power_of_two(&json!(-4)), None);
    }

    #[test]
    fn screens_are_told_as_text_as_well() {
        for text in ["1920x1080", "1080 X 1920", "1920.0×1080"] {
            assert_eq!(screen(&json!(text)).as_deref(), Some("large"), "{text}");
        }
        for text in ["", "x", "1920x", "infx1", "wide"] {
            assert_eq!(screen(&json!(text)), None, "{text}");
        }
    }
}
