//! The revisions of the protocol that are served.

/// A revision of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 2025-06-18: a client calls `initialize` first and names the agreed version in a header
    /// afterwards.
    June2025,
    /// 2025-11-25: the same.
    November2025,
    /// 2026-07-28: every request says what it needs to be understood, and nothing goes before it.
    July2026,
}

impl Version {
    /// The supported versions, newest first.
    pub const ALL: [Self; 3] = [Self::July2026, Self::November2025, Self::June2025];
    /// What `initialize` offers to a client that asks for a version that it cannot have.
    const INITIALIZED: Self = Self::November2025;
    /// What a request without a version header gets. The protocol says 2025-03-26; for the messages
    /// we serve the next version differs from it only in having no batches.
    pub(crate) const ASSUMED: Self = Self::June2025;

    /// The version as the protocol writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::June2025 => "2025-06-18",
            Self::November2025 => "2025-11-25",
            Self::July2026 => "2026-07-28",
        }
    }

    /// The version of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == name)
    }

    /// Whether every request stands alone, without `initialize` before it.
    pub const fn is_stateless(self) -> bool {
        matches!(self, Self::July2026)
    }

    /// The answer to a client that calls `initialize` for `requested`. The stateless version cannot
    /// be agreed on in that way.
    pub(crate) fn negotiate(requested: &str) -> Self {
        let known = Self::from_name(requested).filter(|version| !version.is_stateless());
        known.unwrap_or(Self::INITIALIZED)
    }

    /// The names of all.
    pub(crate) fn names() -> [&'static str; 3] {
        Self::ALL.map(Self::name)
    }
}
