use ledger::RiskReason;

use crate::client::Client;
use crate::html::Html;
use crate::layout::{Head, document};
use crate::{time, words};

/// What a person sees of their sessions and applications.
#[derive(Debug, Clone, Copy)]
pub struct AccountPage<'a> {
    /// Who: their e-mail address, or the id of a person without one.
    pub person: &'a str,
    /// Their sessions, the one used last first.
    pub sessions: &'a [Session<'a>],
    /// The applications that they have allowed something; `None` if that is not known at the moment.
    pub apps: Option<&'a [App<'a>]>,
    /// What has just been done.
    pub notice: Option<Notice>,
    /// The field `csrf` of all forms.
    pub csrf: &'a str,
    /// The time, in seconds.
    pub now: u64,
}

/// A session. Times are seconds.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// Its name in the protocol.
    pub id: &'a str,
    /// The application.
    pub client: &'a str,
    /// The device, for a person to recognise.
    pub device: &'a str,
    /// The network that it was last used from.
    pub network: Option<&'a str>,
    /// The country that it was last used from, ISO 3166-1.
    pub country: Option<&'a str>,
    /// When it began.
    pub created_at: u64,
    /// When it was last used.
    pub last_seen_at: u64,
    /// When it ends if it is not used.
    pub ends_at: u64,
    /// Whether it looks like somebody else's by now.
    pub flagged: bool,
    /// What is unusual about it.
    pub reasons: &'a [RiskReason],
    /// Whether it was started from the browser that shows the page.
    pub here: bool,
}

/// A connected application.
#[derive(Debug, Clone, Copy)]
pub struct App<'a> {
    /// Which.
    pub client: Client<'a>,
    /// What it may do.
    pub scopes: &'a [String],
    /// Since when, in seconds.
    pub since: u64,
}

/// What has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A session was ended.
    Ended,
    /// All others were ended.
    OthersEnded,
    /// An application was disconnected.
    Disconnected,
    /// The session had ended before.
    Gone,
    /// Too much in too short a time; nothing was done.
    TooMany,
    /// The page was made for another sign-in; nothing was done.
    Stale,
}

impl Notice {
    const ALL: [Self; 6] = [
        Self::Ended,
        Self::OthersEnded,
        Self::Disconnected,
        Self::Gone,
        Self::TooMany,
        Self::Stale,
    ];

    /// The one of this name: whatever else is in an address is not said on a page of ours.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.name() == name)
    }

    /// Its name in the query of the page's address.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::OthersEnded => "others-ended",
            Self::Disconnected => "disconnected",
            Self::Gone => "gone",
            Self::TooMany => "too-many",
            Self::Stale => "stale",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Ended => "The session has ended.",
            Self::OthersEnded => "All other sessions have ended.",
            Self::Disconnected => "The application is disconnected, and its sessions have ended.",
            Self::Gone => "That session had ended already.",
            Self::TooMany => "That was too much at once. Please wait a minute and try again.",
            Self::Stale => "The page was out of date, so nothing was changed. Please try again.",
        }
    }
}

/// The page. Its forms are posted to `/account/sessions/{id}/end`, `/account/others/end`,
/// `/account/apps/end` (with the field `client_id`) and `/account/sign-out`, all with the field `csrf`.
pub fn account(page: &AccountPage<'_>) -> String {
    document("Your account", &Head { wide: true, ..Head::default() }, |html| {
        html.raw("<div class=\"top\"><div><h1>Your account</h1><p>Signed in as <strong>");
        html.apart(page.person).raw("</strong></p></div>");
        form(html, page, "/account/sign-out", |html| {
            html.raw("<button>Sign out</button>");
        });
        html.raw("</div>");
        if let Some(notice) = page.notice {
            html.raw("<p class=\"note\" role=\"status\">").raw(notice.text()).raw("</p>");
        }
        sessions(html, page);
        apps(html, page);
    })
}

/// What a person sees who has signed out.
pub fn signed_out() -> String {
    document("Signed out", &Head::default(), |html| {
        html.raw(
            "<h1>You are signed out</h1><p>Applications that you have connected stay connected. ",
        );
        html.raw("Sign in again to see or disconnect them.</p>");
        html.raw("<p><a class=\"button\" href=\"/account\">Sign in</a></p>");
    })
}

fn sessions(html: &mut Html, page: &AccountPage<'_>) {
    html.raw(
        "<section aria-labelledby=\"sessions\"><h2 id=\"sessions\">Where you are signed in</h2>",
    );
    html.raw("<p>Each application that acts for you does so in a session. ");
    html.raw("If you do not recognise one, end it.</p>");
    if page.sessions.is_empty() {
        html.raw("<p class=\"empty\">No application is signed in at the moment.</p>");
    } else {
        html.raw("<ul class=\"cards\">");
        for session in page.sessions {
            html.raw("<li>");
            one_session(html, page, session);
            html.raw("</li>");
        }
        html.raw("</ul>");
    }
    if page.sessions.iter().any(|session| !session.here) {
        form(html, page, "/account/others/end", |html| {
            let here = page.sessions.iter().any(|session| session.here);
            html.raw(if here {
                "<button class=\"danger\">End all other sessions</button>"
            } else {
                "<button class=\"danger\">End all sessions</button>"
            });
        });
    }
    html.raw("</section>");
}

fn one_session(html: &mut Html, page: &AccountPage<'_>, session: &Session<'_>) {
    html.raw("<h3>").name(session.client);
    if session.here {
        html.raw(" <span class=\"tag\">This browser</span>");
    }
    if session.flagged {
        html.raw(" <span class=\"tag warn\">Unusual</span>");
    }
    html.raw("</h3><div class=\"more\"><dl><div><dt>Device</dt><dd>")
        .apart(session.device)
        .raw("</dd></div>");
    if let Some(country) = session.country {
        html.raw("<div><dt>Country</dt><dd>").apart(country).raw("</dd></div>");
    }
    if let Some(network) = session.network {
        html.raw("<div><dt>Network</dt><dd>").apart(network).raw("</dd></div>");
    }
    html.raw("<div><dt>Last used</dt><dd>");
    time::ago(html, session.last_seen_at, page.now);
    html.raw("</dd></div><div><dt>Started</dt><dd>");
    time::moment(html, session.created_at);
    html.raw("</dd></div><div><dt>Ends if not used</dt><dd>");
    time::moment(html, session.ends_at);
    html.raw("</dd></div></dl>");
    unusual(html, session);
    html.raw("</div><form method=\"post\" action=\"/account/sessions/")
        .text(session.id)
        .raw("/end\">");
    html.hidden("csrf", page.csrf).raw("<button>End session<span class=\"heard\"> of ");
    html.text(session.client).raw(" on ").text(session.device).raw("</span></button></form>");
}

fn unusual(html: &mut Html, session: &Session<'_>) {
    if session.reasons.is_empty() {
        return;
    }
    html.raw(if session.flagged {
        "<div class=\"note warn\"><p><strong>This session looks unusual.</strong> Within the last hour:</p><ul>"
    } else {
        "<div class=\"note\"><p>Within the last hour:</p><ul>"
    });
    for reason in session.reasons {
        html.raw("<li>").raw(words::risk(*reason)).raw("</li>");
    }
    html.raw("</ul></div>");
}

fn apps(html: &mut Html, page: &AccountPage<'_>) {
    html.raw("<section aria-labelledby=\"apps\"><h2 id=\"apps\">Connected applications</h2>");
    match page.apps {
        None => {
            html.raw("<p class=\"note warn\">We cannot tell at the moment which applications are ");
            html.raw("connected. Please try again in a few minutes.</p>");
        }
        Some([]) => {
            html.raw(
                "<p class=\"empty\">You have not allowed any application to use your account.</p>",
            );
        }
        Some(apps) => {
            html.raw(
                "<p>You have allowed these to act for you. Disconnecting one ends its sessions, ",
            );
            html.raw("and it has to ask you again.</p><ul class=\"cards\">");
            for app in apps {
                html.raw("<li>");
                one_app(html, page, app);
                html.raw("</li>");
            }
            html.raw("</ul>");
        }
    }
    html.raw("</section>");
}

fn one_app(html: &mut Html, page: &AccountPage<'_>, app: &App<'_>) {
    let name = app.client.shown();
    html.raw("<h3>").name(name).raw("</h3><dl class=\"more\">");
    if let Some(host) = app.client.host() {
        html.raw("<div><dt>Described by</dt><dd>").apart(host).raw("</dd></div>");
    }
    html.raw("<div><dt>Allowed to</dt><dd>");
    words::permissions_in_short(html, app.scopes);
    html.raw("</dd></div><div><dt>Since</dt><dd>");
    time::moment(html, app.since);
    html.raw("</dd></div></dl>");
    form(html, page, "/account/apps/end", |html| {
        html.hidden("client_id", app.client.id).raw("<button>Disconnect<span class=\"heard\"> ");
        html.text(name).raw("</span></button>");
    });
}

fn form(
    html: &mut Html,
    page: &AccountPage<'_>,
    action: &'static str,
    content: impl FnOnce(&mut Html),
) {
    html.raw("<form method=\"post\" action=\"").raw(action).raw("\">").hidden("csrf", page.csrf);
    content(html);
    html.raw("</form>");
}
