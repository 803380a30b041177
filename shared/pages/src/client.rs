use crate::place;

/// The application that asks, as a person should know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client<'a> {
    /// Its id in the protocol; of a metadata document its URL.
    pub id: &'a str,
    /// The name that it gives itself.
    pub name: &'a str,
    /// How we know it, which says what its name is worth.
    pub origin: Origin,
}

/// How a client came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The operators of this service have registered it.
    Registered,
    /// It has registered itself (RFC 7591): anybody can take any name.
    Dynamic,
    /// Its metadata document says so: its name is worth as much as the host of the document.
    Document,
}

impl<'a> Client<'a> {
    /// Its name, or, if that says nothing, the host of its document or its id.
    pub(crate) fn shown(&self) -> &'a str {
        let name = self.name.trim();
        if name.is_empty() { self.host().unwrap_or(self.id) } else { name }
    }

    /// The host that describes it, if one does.
    pub(crate) fn host(&self) -> Option<&'a str> {
        match self.origin {
            Origin::Document => place::host(self.id),
            Origin::Registered | Origin::Dynamic => None,
        }
    }
}
