//! Protocol versions: which there are, and how a request names one. All that depends on the era of
//! the protocol starts here.

use http::{HeaderMap, header::CONTENT_TYPE};

/// A supported revision of the protocol. In both, a client calls `initialize` first and names the
/// agreed version in a header afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 2025-06-18.
    June2025,
    /// 2025-11-25.
    November2025,
}

impl Version {
    /// The supported versions, newest first.
    pub const ALL: [Self; 2] = [Self::November2025, Self::June2025];
    /// What is offered to a client that asks for a version we do not know.
    pub const LATEST: Self = Self::November2025;
    /// What a request without a version header gets. The protocol says 2025-03-26; for the messages
    /// we serve the next version differs from it only in having no batches.
    const ASSUMED: Self = Self::June2025;

    /// The version as the protocol writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::June2025 => "2025-06-18",
            Self::November2025 => "2025-11-25",
        }
    }

    /// The version of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == name)
    }

    /// The answer to a client that asks for `requested`.
    pub(crate) fn negotiate(requested: &str) -> Self {
        Self::from_name(requested).unwrap_or(Self::LATEST)
    }
}

/// The version header names no supported version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// The version of a request after `initialize`.
pub(crate) fn of(headers: &HeaderMap) -> Result<Version, Unsupported> {
    let mut values = headers.get_all("mcp-protocol-version").iter();
    let Some(value) = values.next() else { return Ok(Version::ASSUMED) };
    if values.next().is_some() {
        return Err(Unsupported);
    }
    let name = value.to_str().map_err(|_| Unsupported)?;
    Version::from_name(name.trim()).ok_or(Unsupported)
}

/// What to tell a client whose version header is refused.
pub(crate) fn unsupported() -> String {
    let names = Version::ALL.map(Version::name).join(", ");
    format!("Unsupported MCP-Protocol-Version. Supported versions: {names}.")
}

/// Whether the body is declared as JSON; parameters such as `charset` do not matter.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
