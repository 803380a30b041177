//! The use cases of the authorization server, over ports.
