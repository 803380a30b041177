//! What a request says of itself: its parameters, and the metadata in them.

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::json;

/// The parameters of every method, unread. What a method does not know it ignores, as the protocol
/// asks for.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Params<'a> {
    #[serde(borrow, rename = "_meta")]
    pub(crate) meta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) protocol_version: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) uri: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) cursor: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) input_responses: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) request_state: Option<&'a RawValue>,
    #[serde(borrow, rename = "ref")]
    pub(crate) reference: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) argument: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) context: Option<&'a RawValue>,
}

impl<'a> Params<'a> {
    /// Of the `params` of a message; `None` if they are no object, or a member that somebody reads
    /// is given twice.
    pub(crate) fn read(params: Option<&'a RawValue>) -> Option<Self> {
        let Some(params) = params.filter(|params| params.get() != "null") else {
            return Some(Self::default());
        };
        // Structs also deserialize from arrays; parameters are objects only.
        params.get().starts_with('{').then(|| serde_json::from_str(params.get()).ok())?
    }
}

/// A member that is a string.
pub(crate) fn text(raw: Option<&RawValue>) -> Option<String> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

/// The `_meta` of a request.
#[derive(Default)]
pub(crate) struct Meta {
    /// Which version the request is written in.
    pub(crate) version: Option<String>,
    /// What the client can be asked for.
    pub(crate) capabilities: Option<Map<String, Value>>,
    /// Under which name to tell of progress, if the client wants to know: a string or an integer.
    pub(crate) progress_token: Option<Value>,
}

impl Meta {
    /// Of a request's parameters. What is of another type than it should be counts as absent.
    pub(crate) fn read(params: &Params<'_>) -> Self {
        let read = params.meta.and_then(|raw| json::object(raw).ok().flatten());
        let mut members = read.unwrap_or_default();
        let mut take = |name: &str| members.remove(name);
        let version = take("io.modelcontextprotocol/protocolVersion");
        let capabilities = take("io.modelcontextprotocol/clientCapabilities");
        let token = take("progressToken").filter(|token| token.is_string() || token.is_i64());
        Self {
            version: version.and_then(|version| version.as_str().map(str::to_owned)),
            capabilities: match capabilities {
                Some(Value::Object(capabilities)) => Some(capabilities),
                _ => None,
            },
            progress_token: token,
        }
    }
}
