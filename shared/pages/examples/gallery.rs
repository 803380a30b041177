//! Writes every page in each of its states into a folder, for a browser to judge.
//!
//!     cargo run -p pages --example gallery -- FOLDER
//!
//! Beside the pages is `policy.txt`, the content security policy that they are served with.

use std::path::Path;
use std::{env, fs, io};

use ledger::RiskReason;
use pages::{
    AccountPage, App, Client, ConsentPage, ErrorPage, Notice, Origin, ReturningPage, Session,
    account, consent, error, returning, signed_out,
};

const NOW: u64 = 1_795_276_800;
const DAY: u64 = 86_400;
/// What somebody tries who wants more of a page than to be named on it.
const HOSTILE: &str = "</bdi></h1><script>alert(1)</script><img src=x onerror=alert(1)>\
    <style>*{display:none}</style><form action=https://evil.example>\u{202e}\"' onfocus=alert(1)";

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).ok_or_else(|| io::Error::other("usage: gallery FOLDER"))?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    fs::write(folder.join("policy.txt"), pages::POLICY)?;
    for (name, page) in consents().into_iter().chain(accounts()).chain(others()) {
        fs::write(folder.join(name).with_extension("html"), page)?;
    }
    Ok(())
}

fn scopes(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn consents() -> Vec<(&'static str, String)> {
    let usual = scopes(&["atoms:workspace.read", "atoms:workspace.write", "offline_access"]);
    let all = scopes(&oauth::scope::ALL);
    let hostile = scopes(&[HOSTILE]);
    let document = Client {
        id: "https://claude.ai/oauth/client-metadata",
        name: "Claude",
        origin: Origin::Document,
    };
    let page = ConsentPage {
        client: document,
        scopes: &usual,
        redirect_uri: "https://claude.ai/api/mcp/auth_callback",
        person: Some("ada.lovelace@example.com"),
        request: "AQHsealedrequest",
        csrf: "1.q0NTRUZURVNURVRFU1RURVNU",
    };
    let dynamic = Client { id: "dyn_1", name: "MCP Inspector", origin: Origin::Dynamic };
    let registered =
        Client { id: "atoms-web", name: "Atoms for the web", origin: Origin::Registered };
    let cursor = Client { id: "dyn_2", name: "Cursor", origin: Origin::Dynamic };
    let long = Client {
        id: "dyn_3",
        name: &"Wolfeschlegelsteinhausen".repeat(8),
        origin: Origin::Dynamic,
    };
    let evil = Client { id: HOSTILE, name: HOSTILE, origin: Origin::Document };
    let shown = [
        ("consent-document", page),
        ("consent-elsewhere", ConsentPage { redirect_uri: "https://other.example/cb", ..page }),
        (
            "consent-dynamic",
            ConsentPage { client: dynamic, redirect_uri: "http://127.0.0.1:6274/cb", ..page },
        ),
        (
            "consent-registered",
            ConsentPage {
                client: registered,
                scopes: &all,
                redirect_uri: "https://app.example/cb",
                person: None,
                ..page
            },
        ),
        (
            "consent-app",
            ConsentPage { client: cursor, redirect_uri: "cursor://anysphere.cursor/oauth", ..page },
        ),
        ("consent-long", ConsentPage { client: long, scopes: &all, ..page }),
        (
            "consent-hostile",
            ConsentPage {
                client: evil,
                scopes: &hostile,
                redirect_uri: HOSTILE,
                person: Some(HOSTILE),
                ..page
            },
        ),
    ];
    shown.iter().map(|(name, page)| (*name, consent(page))).collect()
}

fn accounts() -> Vec<(&'static str, String)> {
    let session = Session {
        id: "00112233445566778899aabbccddeeff",
        client: "Claude",
        device: "Firefox on Linux",
        network: Some("192.0.2.0/24"),
        country: Some("AT"),
        created_at: NOW - 2 * DAY,
        last_seen_at: NOW - 120,
        ends_at: NOW + 7 * DAY,
        flagged: false,
        reasons: &[],
        here: true,
    };
    let sessions = [
        session,
        Session {
            client: "Cursor",
            device: "Cursor on macOS",
            network: Some("2001:db8:17::/48"),
            last_seen_at: NOW - 5 * 3600,
            reasons: &[RiskReason::NetworkChange],
            here: false,
            ..session
        },
        Session {
            client: "Atoms command line",
            device: "Unknown device",
            network: None,
            country: None,
            last_seen_at: NOW - DAY,
            flagged: true,
            reasons: &[RiskReason::DeviceChange, RiskReason::ImpossibleTravel],
            here: false,
            ..session
        },
    ];
    let usual = scopes(&["atoms:workspace.read", "atoms:workspace.write", "offline_access"]);
    let claude = Client { id: "https://claude.ai/x", name: "Claude", origin: Origin::Document };
    let cursor = Client { id: "dyn_2", name: "Cursor", origin: Origin::Dynamic };
    let apps = [
        App { client: claude, scopes: &usual, since: NOW - 40 * DAY },
        App { client: cursor, scopes: &usual[..1], since: NOW - 2 * DAY },
    ];
    let page = AccountPage {
        person: "ada.lovelace@example.com",
        sessions: &sessions,
        apps: Some(&apps),
        notice: Some(Notice::Ended),
        csrf: "1.q0NTRUZURVNURVRFU1RURVNU",
        now: NOW,
    };
    let evil = Client { id: HOSTILE, name: HOSTILE, origin: Origin::Dynamic };
    let bad = Session {
        client: HOSTILE,
        device: HOSTILE,
        network: Some(HOSTILE),
        here: false,
        ..session
    };
    let bad_scopes = scopes(&[HOSTILE]);
    let bad_apps = [App { client: evil, scopes: &bad_scopes, since: NOW }];
    let shown = [
        ("account", page),
        ("account-empty", AccountPage { sessions: &[], apps: Some(&[]), notice: None, ..page }),
        ("account-unavailable", AccountPage { apps: None, notice: Some(Notice::TooMany), ..page }),
        (
            "account-hostile",
            AccountPage { person: HOSTILE, sessions: &[bad], apps: Some(&bad_apps), ..page },
        ),
    ];
    shown.iter().map(|(name, page)| (*name, account(page))).collect()
}

fn others() -> Vec<(&'static str, String)> {
    let back = |location| returning(&ReturningPage { client: "Claude", location, allowed: true });
    vec![
        ("signed-out", signed_out()),
        (
            "error",
            error(&ErrorPage {
                title: "This application is not known here",
                detail: "The link that brought you here names an application that is not registered. \
                    Go back to the application and connect again.",
                code: Some("invalid_client: unknown client"),
            }),
        ),
        (
            "error-hostile",
            error(&ErrorPage { title: HOSTILE, detail: HOSTILE, code: Some(HOSTILE) }),
        ),
        ("returning", back("https://client.example/cb?code=ac1_x&state=%22%3Cy")),
        ("returning-app", back("cursor://anysphere.cursor/oauth?code=ac1_x")),
        ("returning-hostile", back("javascript:alert(1)")),
    ]
}
