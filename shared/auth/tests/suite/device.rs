//! Devices: what is the same one, and what a person reads.

use auth::device::{Description, FIELDS, Fingerprints, MAX_BYTES, Part, Source};
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

const KEY: [u8; 32] = [5; 32];
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn described(pairs: &[(&'static str, &str)], object: Option<&Value>) -> Description {
    let text = object.map(Value::to_string);
    Description::read(&headers(pairs), text.as_deref()).unwrap()
}

fn hashes(pairs: &[(&'static str, &str)], object: Option<&Value>) -> Fingerprints {
    described(pairs, object).fingerprints(&KEY)
}

fn label(agent: &str) -> String {
    described(&[("user-agent", agent)], None).label().to_owned()
}

/// Chrome on a laptop, with every client hint.
fn chrome(version: &str) -> Vec<(&'static str, String)> {
    let agent = format!(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/{version}.0.0.0 Safari/537.36"
    );
    let brands = format!(
        "\"Chromium\";v=\"{version}\", \"Google Chrome\";v=\"{version}\", \"Not_A Brand\";v=\"{}\"",
        version.len()
    );
    vec![
        ("user-agent", agent),
        ("sec-ch-ua", brands.clone()),
        ("sec-ch-ua-full-version-list", brands),
        ("sec-ch-ua-platform", "\"macOS\"".to_owned()),
        ("sec-ch-ua-platform-version", format!("\"15.{version}\"")),
        ("sec-ch-ua-mobile", "?0".to_owned()),
        ("sec-ch-ua-arch", "\"arm\"".to_owned()),
        ("sec-ch-ua-bitness", "\"64\"".to_owned()),
        ("sec-ch-ua-model", "\"\"".to_owned()),
        ("accept-language", "de-DE,de;q=0.9,en;q=0.8".to_owned()),
    ]
}

fn of(pairs: &[(&'static str, String)]) -> Fingerprints {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    hashes(&pairs, None)
}

#[test]
fn at_least_twenty_fields_are_recognised_each_once() {
    assert!(FIELDS.len() >= 20, "{}", FIELDS.len());
    let mut sources: Vec<_> = FIELDS.iter().map(|field| format!("{:?}", field.source)).collect();
    sources.sort();
    sources.dedup();
    assert_eq!(sources.len(), FIELDS.len());
}

#[test]
fn a_browser_that_updates_is_the_same_device() {
    let before = of(&chrome("141"));
    assert!(before.fingerprint.is_some() && before.surroundings.is_some());
    assert_eq!(before, of(&chrome("142")));
    assert_eq!(before, of(&chrome("1000")));
    let firefox = |version: &str| {
        let agent = FIREFOX.replace("140.0", version);
        hashes(&[("user-agent", &agent)], None)
    };
    assert_eq!(firefox("140.0"), firefox("141.0.2"));
}

#[test]
fn the_same_browser_is_recognised_without_its_hints_but_what_they_add_counts() {
    let plain: Vec<_> = chrome("141")
        .into_iter()
        .filter(|(name, _)| {
            !["sec-ch-ua", "sec-ch-ua-full-version-list", "sec-ch-ua-platform"].contains(name)
        })
        .collect();
    assert_eq!(of(&chrome("141")).fingerprint, of(&plain).fingerprint);
    for (name, value) in
        [("sec-ch-ua-mobile", "?1"), ("sec-ch-ua-arch", "\"x86\""), ("sec-ch-ua-model", "\"X\"")]
    {
        let mut other = chrome("141");
        other.retain(|(own, _)| *own != name);
        other.push((name, value.to_owned()));
        assert_ne!(of(&chrome("141")).fingerprint, of(&other).fingerprint, "{name}");
    }
}

#[test]
fn another_app_or_system_is_another_device() {
    let agents = [
        FIREFOX,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "curl/8.5.0",
        "claude-code/2.1 (darwin; arm64)",
        "claude-code/2.1 (linux; x64)",
    ];
    let hashes: Vec<_> =
        agents.iter().map(|agent| hashes(&[("user-agent", agent)], None).fingerprint).collect();
    for (at, one) in hashes.iter().enumerate() {
        assert!(one.is_some());
        assert!(!hashes[..at].contains(one), "{}", agents[at]);
    }
}

#[test]
fn whoever_tells_nothing_has_no_fingerprint() {
    for pairs in [&[][..], &[("user-agent", "  ")], &[("user-agent", "/;")], &[("x-other", "1")]] {
        assert_eq!(hashes(pairs, None), Fingerprints::default(), "{pairs:?}");
        assert_eq!(hashes(pairs, Some(&json!({ "shoe_size": 43 }))), Fingerprints::default());
        assert_eq!(described(pairs, None).label(), "Unknown device");
    }
}

#[test]
fn unknown_fields_and_kinds_are_ignored() {
    let known = json!({ "model": "X1", "cpu_cores": 8 });
    let more = json!({
        "model": " x1 ", "cpu_cores": 8.0, "favourite_colour": "red", "arch": { "a": 1 }, "vendor": [],
        "memory_gb": "much", "touch_points": null, "mobile": "maybe", "form_factor": "",
    });
    assert_eq!(hashes(&[], Some(&known)), hashes(&[], Some(&more)));
}

#[test]
fn every_field_of_a_device_tells_it_apart_in_its_own_part() {
    let base = json!({ "x": 1 });
    let nothing = hashes(&[], Some(&base));
    for field in FIELDS {
        let Source::Member(name) = field.source else { continue };
        let value = match name {
            "mobile" => json!(true),
            "touch_points" | "cpu_cores" | "memory_gb" | "color_depth" | "pixel_ratio" => json!(4),
            "screen" => json!({ "width": 1920, "height": 1080 }),
            _ => json!("value"),
        };
        let told = hashes(&[], Some(&json!({ name: value })));
        let changed = match field.part {
            Part::Described => Fingerprints { described: told.described, ..nothing },
            Part::Surroundings => Fingerprints { surroundings: told.surroundings, ..nothing },
            Part::Label => nothing,
            Part::Fingerprint => Fingerprints { fingerprint: told.fingerprint, ..nothing },
        };
        assert_eq!(told, changed, "{name}");
        assert_eq!(told == nothing, field.part == Part::Label, "{name}");
    }
}

#[test]
fn an_installation_id_stands_for_the_device() {
    let device = |more: Value| {
        let mut device = json!({ "id": "install-1", "app": "Atoms", "platform": "darwin" });
        device.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        hashes(&[], Some(&device)).described
    };
    let plain = device(json!({}));
    assert_eq!(plain, device(json!({ "cpu_cores": 16, "model": "new", "app_version": "2" })));
    assert_eq!(plain, device(json!({ "platform": "macOS" })), "by whatever name");
    assert_ne!(plain, device(json!({ "id": "install-2" })));
    assert_ne!(plain, device(json!({ "platform": "linux" })));
}

#[test]
fn journeys_and_habits_are_surroundings() {
    let at = |device: Value| {
        let hashes = hashes(&[("user-agent", FIREFOX)], Some(&device));
        assert_eq!(hashes.described, None);
        hashes.surroundings
    };
    let home = json!({
        "time_zone": "Europe/Berlin", "languages": ["de-DE", "en"],
        "screen": { "width": 1920, "height": 1080 },
    });
    let alike = json!({
        "time_zone": "europe/berlin", "languages": ["de", "fr"],
        "screen": { "width": 1080, "height": 1920 },
    });
    assert_eq!(at(home.clone()), at(alike));
    for (name, value) in [
        ("time_zone", json!("America/New_York")),
        ("languages", json!(["en"])),
        ("screen", json!("800x600")),
    ] {
        let mut away = home.clone();
        away[name] = value;
        assert_ne!(at(home.clone()), at(away), "{name}");
    }
}

#[test]
fn what_is_kept_depends_on_the_key() {
    let one = described(&[("user-agent", FIREFOX)], None);
    assert_ne!(one.fingerprints(&KEY), one.fingerprints(&[6; 32]));
}

#[test]
fn an_object_is_bounded_and_must_be_one() {
    let read = |text: &str| Description::read(&HeaderMap::new(), Some(text)).map(drop);
    let many = |count: usize| -> String {
        let members: Vec<_> = (0..count).map(|at| format!("\"k{at}\":{at}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let padded = |length: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(length - 11));
    assert!(read(&many(64)).is_ok() && read(&padded(MAX_BYTES)).is_ok());
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
    for text in
        [&many(65), &many(1000), &padded(MAX_BYTES + 1), &deep, "", "[]", "null", "1", "{", "\"a\""]
    {
        let error = read(text).unwrap_err();
        assert_eq!(error.code.as_str(), "invalid_request", "{text:.20}");
    }
}

#[test]
fn browsers_are_named_with_their_system() {
    let mac =
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)";
    for (agent, expected) in [
        (format!("{mac} Chrome/141.0.0.0 Safari/537.36"), "Chrome on macOS"),
        (format!("{mac} Chrome/141.0.0.0 Safari/537.36 Edg/141.0"), "Edge on macOS"),
        (format!("{mac} Version/18.0 Safari/605.1.15"), "Safari on macOS"),
        (FIREFOX.to_owned(), "Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/141 Mobile Safari/604.1"
                .to_owned(),
            "Chrome on iPhone",
        ),
    ] {
        assert_eq!(label(&agent), expected, "{agent}");
    }
    let hints = [
        ("sec-ch-ua", "\"Not_A Brand\";v=\"8\", \"Chromium\";v=\"1\", \"Brave\";v=\"1\""),
        ("sec-ch-ua-platform", "\"Windows\""),
    ];
    assert_eq!(described(&hints, None).label(), "Brave on Windows");
}

#[test]
fn other_products_go_by_their_first_name_or_the_one_that_people_know() {
    assert_eq!(label("curl/8.5.0"), "curl");
    assert_eq!(label("claude-code/2.1 (cli)"), "Claude Code");
    assert_eq!(label("claude-code/2.1 (darwin; arm64)"), "Claude Code on macOS");
    assert_eq!(label("MyApp/1.0 (Windows NT 10.0)"), "MyApp on Windows");
    assert_eq!(label(&"x".repeat(500)).len(), 60);
}

#[test]
fn the_clients_own_words_come_first() {
    let named =
        |device: Value| described(&[("user-agent", FIREFOX)], Some(&device)).label().to_owned();
    assert_eq!(named(json!({ "app": "Atoms", "platform": "win32" })), "Atoms on Windows");
    assert_eq!(named(json!({ "app": "Atoms" })), "Atoms on Linux");
    assert_eq!(named(json!({ "name": "Ada's\u{7} laptop ", "app": "Atoms" })), "Ada's laptop");
    assert_eq!(named(json!({ "name": "  ", "app": 7 })), "Firefox on Linux");
}
