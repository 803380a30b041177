//! Pure OAuth types: errors, grants, scopes, token formats, JWT claims, metadata.
