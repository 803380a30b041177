//! What the protocol's names mean to a person.

use ledger::RiskReason;
use oauth::scope;

use crate::html::Html;

/// What a scope allows, and what that means.
fn meaning(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        scope::WORKSPACE_READ => (
            "See your workspaces",
            "Those of the organizations that you belong to, with their names and descriptions.",
        ),
        scope::WORKSPACE_WRITE => {
            ("Create and change workspaces", "Where you may do so yourself, and in your name.")
        }
        scope::SESSIONS_READ => (
            "See where you are signed in",
            "Your sessions, with their devices, networks and last use.",
        ),
        scope::SESSIONS_WRITE => {
            ("Sign you out", "It can end any of your sessions, also those of other applications.")
        }
        scope::AUDIT_READ => (
            "See your security history",
            "What has happened to your sessions, when, and from which device and network.",
        ),
        scope::OFFLINE_ACCESS => (
            "Stay connected while you are away",
            "It need not ask you again every day. You can disconnect it at any time.",
        ),
        _ => return None,
    })
}

/// A list of what scopes allow, as items of a list.
pub(crate) fn permissions(html: &mut Html, scopes: &[String]) {
    html.raw("<ul class=\"may\">");
    for name in scopes {
        html.raw("<li>");
        match meaning(name) {
            Some((what, more)) => html.raw("<strong>").raw(what).raw("</strong> ").raw(more),
            None => html
                .raw("<strong>Use a permission that has no description here:</strong> ")
                .text(name),
        };
        html.raw("</li>");
    }
    if scopes.is_empty() {
        html.raw("<li><strong>Know who you are</strong> And nothing else.</li>");
    }
    html.raw("</ul>");
}

/// What scopes allow, in one line.
pub(crate) fn permissions_in_short(html: &mut Html, scopes: &[String]) {
    for (at, name) in scopes.iter().enumerate() {
        if at > 0 {
            html.raw(" · ");
        }
        match meaning(name) {
            Some((what, _)) => html.raw(what),
            None => html.text(name),
        };
    }
}

/// Why a session looks like somebody else's, as a sentence.
pub(crate) const fn risk(reason: RiskReason) -> &'static str {
    match reason {
        RiskReason::NetworkChange => "It was used from another network than before.",
        RiskReason::CountryChange => "It was used from another country than before.",
        RiskReason::AsnChange => "It was used through another internet provider than before.",
        RiskReason::ImpossibleTravel => {
            "It was used in two places that nobody could travel between in that time."
        }
        RiskReason::DeviceChange => "It was used on another device than before.",
        RiskReason::UserAgentChange => "It was used by another browser or program than before.",
        RiskReason::SurroundingsChange => {
            "It was used with another language, time zone or screen than before."
        }
        RiskReason::Velocity => "It was renewed unusually often in a short time.",
        RiskReason::GraceReplays => "Its keys were presented unusually often.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_words() {
        for name in scope::ALL {
            assert!(meaning(name).is_some(), "{name}");
        }
    }
}
