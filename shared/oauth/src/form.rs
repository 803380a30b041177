//! The request format of the OAuth endpoints: `application/x-www-form-urlencoded`, RFC 6749
//! appendix B, each parameter at most once (section 3.2), empty ones as if omitted.

use crate::OAuthError;

/// Parameters that RFC 8707 and RFC 8693 allow more than once, and the tokens of a bulk revocation.
const REPEATABLE: [&str; 3] = ["resource", "audience", TOKENS];
/// More parameters than any request of ours can need, besides the tokens of a bulk revocation.
const MAX_PARAMETERS: usize = 64;
/// More tokens than are revoked at once.
const MAX_TOKENS: usize = 101;
/// The tokens of a bulk revocation.
pub const TOKENS: &str = "tokens";

/// The parameters of a request, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form {
    parameters: Vec<(String, String)>,
}

impl Form {
    /// Parse a body by its content type.
    ///
    /// # Errors
    /// `invalid_request` for another content type, text that is not UTF-8, or a repeated parameter.
    pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, OAuthError> {
        if !content_type.is_some_and(is_form) {
            return Err(OAuthError::invalid_request(
                "the content type must be application/x-www-form-urlencoded",
            ));
        }
        Self::decode(body)
    }

    /// The parameters of a query, by the same rules.
    ///
    /// # Errors
    /// `invalid_request` for text that is not UTF-8, or a repeated parameter.
    pub fn of_query(query: Option<&str>) -> Result<Self, OAuthError> {
        Self::decode(query.unwrap_or_default().as_bytes())
    }

    /// Parameters that came in another way.
    ///
    /// # Errors
    /// `invalid_request` for a repeated parameter.
    pub fn of(
        parameters: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Result<Self, OAuthError> {
        let mut form = Self::default();
        for (name, value) in parameters {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                form.push(name.to_owned(), value)?;
            }
        }
        Ok(form)
    }

    fn decode(body: &[u8]) -> Result<Self, OAuthError> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            // The decoder replaces what is not UTF-8; no parameter of ours can hold that sign.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(OAuthError::invalid_request("the body is not valid UTF-8"));
            }
            if value.is_empty() {
                continue;
            }
            form.push(name.into_owned(), value.into_owned())?;
        }
        Ok(form)
    }

    /// A parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The names of its parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| name.as_str())
    }

    /// The values of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that must be there; `description` says so.
    ///
    /// # Errors
    /// `invalid_request` with the description.
    pub fn require(&self, name: &str, description: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or(OAuthError::invalid_request(description))
    }

    /// A parameter that is `true` or `false`, and `false` if it is omitted.
    ///
    /// # Errors
    /// `invalid_request` for anything else.
    pub fn flag(&self, name: &str) -> Result<bool, OAuthError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(OAuthError::invalid_request("a flag is true or false")),
        }
    }

    fn push(&mut self, name: String, value: String) -> Result<(), OAuthError> {
        if !REPEATABLE.contains(&name.as_str()) && self.get(&name).is_some() {
            return Err(OAuthError::invalid_request("a parameter is repeated"));
        }
        let is_token = name == TOKENS;
        let alike = self.parameters.iter().filter(|(n, _)| (n == TOKENS) == is_token).count();
        if alike == if is_token { MAX_TOKENS } else { MAX_PARAMETERS } {
            return Err(OAuthError::invalid_request("too many parameters"));
        }
        self.parameters.push((name, value));
        Ok(())
    }
}

/// Parameters as a query or a body has them.
pub fn encode(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded;charset=UTF-8");

    #[test]
    fn c2_a_repeated_parameter_is_refused_but_resources_may_repeat() {
        let refused = Form::parse(FORM, b"token=a&token=a").unwrap_err_code();
        assert_eq!(refused, ErrorCode::InvalidRequest);
        let form = Form::parse(FORM, b"resource=a&resource=b").expect("a form");
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn c2_an_empty_parameter_counts_as_omitted() {
        let form = Form::parse(FORM, b"scope=&token=x&scope=y").expect("a form");
        assert_eq!(form.get("scope"), Some("y"));
        assert_eq!(Form::parse(FORM, b"token=").expect("a form").get("token"), None);
    }

    #[test]
    fn a_flag_is_true_or_false() {
        let form = Form::parse(FORM, b"a=true&b=false&c=TRUE&d=").expect("a form");
        assert_eq!(
            ["a", "b", "d", "e"].map(|name| form.flag(name)),
            [Ok(true), Ok(false), Ok(false), Ok(false)]
        );
        assert_eq!(form.flag("c").map_err(|error| error.code), Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn c1_other_content_types_are_refused() {
        for content_type in
            [None, Some("application/json"), Some("application/x-www-form-urlencodedx")]
        {
            assert_eq!(
                Form::parse(content_type, b"a=b").unwrap_err_code(),
                ErrorCode::InvalidRequest
            );
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        assert_eq!(Form::parse(FORM, b"token=%ff%fe").unwrap_err_code(), ErrorCode::InvalidRequest);
    }

    trait ErrCode {
        fn unwrap_err_code(self) -> ErrorCode;
    }

    impl ErrCode for Result<Form, OAuthError> {
        fn unwrap_err_code(self) -> ErrorCode {
            self.err().expect("an error").code
        }
    }
}
