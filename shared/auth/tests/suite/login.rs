//! The login cookie and the tokens of forms.

use auth::login::{self, LIFETIME, Login, LoginSettings};
use http::header::{COOKIE, ORIGIN};
use http::{HeaderMap, HeaderValue};
use testing::{FakePlatform, NOW, PUBLIC_URL, World};

use crate::support::{HOUR, MINUTE};

pub(crate) fn login_of(platform: &FakePlatform, user: &str) -> Login {
    Login {
        user: user.to_owned(),
        sign_in: format!("sign-in of {user}"),
        organization: None,
        role: None,
        email: Some(format!("{user}@example.com")),
        authenticated_at: NOW,
        expires_at: NOW + LIFETIME,
        browser: login::new_browser(platform),
    }
}

/// What a browser sends that was given the cookie.
pub(crate) fn sent(cookie: &HeaderValue) -> HeaderMap {
    let text = cookie.to_str().unwrap();
    let pair = text.split(';').next().unwrap();
    HeaderMap::from_iter([(COOKIE, pair.parse().unwrap())])
}

pub(crate) fn browser(
    platform: &FakePlatform,
    settings: &LoginSettings,
    login: &Login,
) -> HeaderMap {
    sent(&login::set_cookie(settings, platform, login, NOW).unwrap())
}

fn prepared() -> (World, LoginSettings) {
    let world = World::new();
    let settings = LoginSettings::load(&world.platform).unwrap();
    (world, settings)
}

#[test]
fn a_login_is_read_by_us_until_it_expires() {
    let (world, settings) = prepared();
    let login = login_of(&world.platform, "ada");
    let headers = browser(&world.platform, &settings, &login);
    assert_eq!(login::read(&settings, &headers, NOW), Some(login.clone()));
    assert_eq!(login::read(&settings, &headers, NOW + LIFETIME - 1), Some(login));
    assert_eq!(login::read(&settings, &headers, NOW + LIFETIME), None);
    let cookie = headers[COOKIE].to_str().unwrap();
    assert!(!cookie.contains("ada"), "nobody else reads it");
    // A clock that has gone back, or a lifetime that nobody gives.
    assert_eq!(login::read(&settings, &headers, NOW - 1), None);
}

#[test]
fn the_cookie_is_for_this_host_and_no_script() {
    let (world, settings) = prepared();
    let login = login_of(&world.platform, "ada");
    let cookie = login::set_cookie(&settings, &world.platform, &login, NOW).unwrap();
    let text = cookie.to_str().unwrap();
    assert!(text.starts_with("__Host-atoms_login="));
    assert!(text.ends_with("; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax; Secure"));
    let gone = login::sign_out_cookie(&settings);
    assert!(gone.to_str().unwrap().ends_with("; HttpOnly; SameSite=Lax; Secure"));
    assert_eq!(login::read(&settings, &sent(&gone), NOW), None);
    assert!(login::has_signed_out(&settings, &sent(&gone)), "so that the next one must sign in");
    assert!(!login::has_signed_out(&settings, &sent(&cookie)));
    assert!(!login::has_signed_out(&settings, &HeaderMap::new()));
}

#[test]
fn on_a_developers_machine_it_needs_no_https() {
    let world = World::new();
    world.platform.set("PUBLIC_URL", "http://127.0.0.1:8787");
    let settings = LoginSettings::load(&world.platform).unwrap();
    let login = login_of(&world.platform, "ada");
    let cookie = login::set_cookie(&settings, &world.platform, &login, NOW).unwrap();
    let text = cookie.to_str().unwrap();
    assert!(text.starts_with("atoms_login=") && !text.contains("Secure"));
    assert_eq!(login::read(&settings, &sent(&cookie), NOW), Some(login));
}

#[test]
fn a_cookie_that_was_tampered_with_is_none() {
    let (world, settings) = prepared();
    let login = login_of(&world.platform, "ada");
    let headers = browser(&world.platform, &settings, &login);
    let cookie = headers[COOKIE].to_str().unwrap().to_owned();
    let (name, value) = cookie.split_once('=').unwrap();
    for at in 0..value.len() {
        let mut other = value.as_bytes().to_vec();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = format!("{name}={}", String::from_utf8(other).unwrap());
        let headers = HeaderMap::from_iter([(COOKIE, other.parse().unwrap())]);
        assert_eq!(login::read(&settings, &headers, NOW), None, "character {at}");
    }
    // Another deployment's, and one of another purpose under the same key.
    let other = World::new();
    other.platform.set("LOGIN_KEYS", &other_ring());
    let theirs = LoginSettings::load(&other.platform).unwrap();
    assert_eq!(login::read(&settings, &browser(&other.platform, &theirs, &login), NOW), None);
}

#[test]
fn a_cookie_that_is_there_twice_was_planted() {
    let (world, settings) = prepared();
    let (ada, eve) = (login_of(&world.platform, "ada"), login_of(&world.platform, "eve"));
    let cookie =
        |login| browser(&world.platform, &settings, login)[COOKIE].to_str().unwrap().to_owned();
    let (ada, eve) = (cookie(&ada), cookie(&eve));
    for text in
        [format!("{eve}; {ada}"), format!("{ada};{ada}"), format!("{ada}; __Host-atoms_login=")]
    {
        let headers = HeaderMap::from_iter([(COOKIE, text.parse().unwrap())]);
        assert_eq!(login::read(&settings, &headers, NOW), None, "{text}");
    }
    let mut headers = HeaderMap::new();
    headers.append(COOKIE, eve.parse().unwrap());
    headers.append(COOKIE, ada.parse().unwrap());
    assert_eq!(login::read(&settings, &headers, NOW), None, "in two headers");
    let among = format!("theme=dark; {ada}; x__Host-atoms_login=1; a");
    let headers = HeaderMap::from_iter([(COOKIE, among.parse().unwrap())]);
    assert!(login::read(&settings, &headers, NOW).is_some(), "among others");
}

#[test]
fn keys_rotate_under_a_login() {
    let (world, settings) = prepared();
    let login = login_of(&world.platform, "ada");
    let headers = browser(&world.platform, &settings, &login);
    let token = login::csrf(&settings, &login, &["form"]).unwrap();
    let old = ports::Config::get(&world.platform, "LOGIN_KEYS").unwrap();
    world.platform.set("LOGIN_KEYS", &format!("{},{old}", other_ring()));
    let rotated = LoginSettings::load(&world.platform).unwrap();
    assert_eq!(login::read(&rotated, &headers, NOW), Some(login.clone()));
    assert!(login::is_csrf(&rotated, &login, &["form"], &token));
    assert_ne!(login::csrf(&rotated, &login, &["form"]), Some(token));
}

#[test]
fn a_token_is_of_one_login_browser_and_form() {
    let (world, settings) = prepared();
    let login = login_of(&world.platform, "ada");
    let token = login::csrf(&settings, &login, &["form", "x"]).unwrap();
    assert!(login::is_csrf(&settings, &login, &["form", "x"], &token));
    for purpose in [&["form", "y"][..], &["form"], &["formx"], &["for", "mx"], &[]] {
        assert!(!login::is_csrf(&settings, &login, purpose, &token), "{purpose:?}");
    }
    let others = [
        Login { browser: login::new_browser(&world.platform), ..login.clone() },
        Login { user: "eve".to_owned(), ..login.clone() },
        Login { sign_in: "another".to_owned(), ..login.clone() },
    ];
    for other in &others {
        assert!(!login::is_csrf(&settings, other, &["form", "x"], &token));
    }
    let (id, mac) = token.split_once('.').unwrap();
    for forged in [
        "",
        ".",
        "1",
        "1.",
        "9.x",
        mac,
        &format!("2.{mac}"),
        &format!("0{id}.{mac}"),
        &format!("{token}A"),
    ] {
        assert!(!login::is_csrf(&settings, &login, &["form", "x"], forged), "{forged}");
    }
}

#[test]
fn a_form_is_posted_from_our_pages() {
    let (_world, settings) = prepared();
    let says = |site: Option<&str>, origin: Option<&str>| {
        let mut headers = HeaderMap::new();
        site.map(|site| headers.insert("sec-fetch-site", site.parse().unwrap()));
        origin.map(|origin| headers.insert(ORIGIN, origin.parse().unwrap()));
        login::is_own_form(&settings, &headers)
    };
    assert!(says(Some("same-origin"), Some(PUBLIC_URL)));
    assert!(says(Some("same-origin"), Some("null")), "our pages do not tell their origin");
    assert!(says(None, Some(PUBLIC_URL)) && says(None, None));
    for site in ["cross-site", "same-site", "none", "same-origin, cross-site", ""] {
        assert!(!says(Some(site), Some(PUBLIC_URL)), "{site}");
    }
    for origin in [
        "https://evil.example",
        "https://edge.example.evil.example",
        "http://edge.example",
        "https://EDGE.example:444",
    ] {
        assert!(!says(Some("same-origin"), Some(origin)) && !says(None, Some(origin)), "{origin}");
    }
}

#[test]
fn a_login_lives_no_longer_than_it_says() {
    let (world, settings) = prepared();
    let short = Login { expires_at: NOW + HOUR, ..login_of(&world.platform, "ada") };
    let headers = browser(&world.platform, &settings, &short);
    assert!(login::read(&settings, &headers, NOW + HOUR - MINUTE).is_some());
    assert!(login::read(&settings, &headers, NOW + HOUR).is_none());
    let endless = Login { expires_at: u64::MAX, ..short };
    assert!(login::read(&settings, &browser(&world.platform, &settings, &endless), NOW).is_none());
}

#[test]
fn what_fits_no_cookie_is_not_set() {
    let (world, settings) = prepared();
    let login = Login { role: Some("x".repeat(5000)), ..login_of(&world.platform, "ada") };
    assert!(login::set_cookie(&settings, &world.platform, &login, NOW).is_none());
}

fn other_ring() -> String {
    format!("2={}", oauth::base64url(&[9; 32]))
}
