//! Clients whose id is the address of a document that says what they are
//! (draft-ietf-oauth-client-id-metadata-document).

use data::clients::{ClientKind, ClientOrigin, ClientRecord};
use oauth::client_auth::AuthMethod;
use oauth::client_metadata::{ClientMetadata, MAX_DOCUMENT};
use ports::{Clock, Fetch, Kv, Millis};
use serde_json::Value;

use crate::Failure;
use crate::remote::{self, Kind, Remote};

const DOCUMENT: Kind = Kind { prefix: "document", longest: MAX_DOCUMENT, read };

/// The client at an address; `None` if there is none, or none that we could be asked for.
///
/// # Errors
/// [`Failure::Unavailable`] if its host is away and nothing is known of it, or too much is asked for.
pub(crate) async fn find<P: Clock + Fetch + Kv>(
    platform: &P,
    remote: &Remote,
    url: &str,
) -> Result<Option<ClientRecord>, Failure> {
    if !remote.may_be_document(url) {
        return Ok(None);
    }
    let kept = remote::get(platform, remote, DOCUMENT, url, Millis::MAX).await?;
    let record: Option<ClientRecord> = kept.and_then(|kept| serde_json::from_value(kept).ok());
    // Whoever can write the cache is no client by that.
    let fits = |record: &ClientRecord| {
        record.client_id == url && record.origin == ClientOrigin::Document && !record.first_party
    };
    let asks_fitting =
        |record: &ClientRecord| record.jwks_uri.as_deref().is_none_or(|keys| remote.permits(keys));
    Ok(record.filter(fits).filter(asks_fitting))
}

fn read(text: &[u8], url: &str) -> Option<Value> {
    let metadata = ClientMetadata::document(text, url).ok()?;
    serde_json::to_value(record(url.to_owned(), metadata, ClientOrigin::Document)).ok()
}

/// What is kept of a stranger's client: nothing that only we may give.
pub(crate) fn record(
    client_id: String,
    metadata: ClientMetadata,
    origin: ClientOrigin,
) -> ClientRecord {
    let public = metadata.auth_method == AuthMethod::None;
    ClientRecord {
        client_id,
        name: metadata.name.unwrap_or_else(|| "An app without a name".to_owned()),
        kind: if public { ClientKind::Public } else { ClientKind::Confidential },
        scopes: metadata.scopes,
        grant_types: metadata.grant_types,
        redirect_uris: metadata.redirect_uris,
        auth_method: Some(metadata.auth_method.as_str().to_owned()),
        jwks: metadata.jwks,
        jwks_uri: metadata.jwks_uri,
        client_uri: metadata.client_uri,
        logo_uri: metadata.logo_uri,
        software_id: metadata.software_id,
        dpop_bound: metadata.dpop_bound,
        origin,
        ..ClientRecord::default()
    }
}
