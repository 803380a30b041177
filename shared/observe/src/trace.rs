//! W3C Trace Context: <https://www.w3.org/TR/trace-context/>.

use http::HeaderMap;
use ledger::Hex;
use ports::Random;

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

/// The trace that a request belongs to, our span in it, and the request's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits, drawn here.
    pub span_id: String,
    /// 32 hexadecimal digits, drawn here.
    pub request_id: String,
}

impl Trace {
    /// Continue the caller's trace, or begin one if the header is absent or malformed.
    pub fn of(headers: &HeaderMap, random: &impl Random) -> Self {
        // At once: a host may charge for every draw.
        let mut drawn = [0; 40];
        random.fill(&mut drawn);
        let header = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        Self {
            trace_id: header.and_then(parse).unwrap_or_else(|| name(&drawn[..16])),
            request_id: name(&drawn[16..32]),
            span_id: name(&drawn[32..]),
        }
    }
}

fn parse(header: &str) -> Option<String> {
    let mut parts = header.split('-');
    let (version, trace_id) = (parts.next()?, parts.next()?);
    let (parent_id, flags) = (parts.next()?, parts.next()?);
    let known = version == "00" && parts.next().is_none() || is_hex(version, 2) && version > "00";
    let valid = known
        && version != "ff"
        && is_hex(trace_id, 32)
        && is_hex(parent_id, 16)
        && is_hex(flags, 2)
        && trace_id.bytes().any(|byte| byte != b'0')
        && parent_id.bytes().any(|byte| byte != b'0');
    valid.then(|| trace_id.to_owned())
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An id of zeros is invalid; any fixed other one will do once in 2^64.
fn name(drawn: &[u8]) -> String {
    let mut name = Hex(drawn).to_string();
    if name.bytes().all(|digit| digit == b'0') {
        name.replace_range(.., &"1".repeat(2 * drawn.len()));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Random for Sevens {
        fn fill(&self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    fn of(header: &str) -> Trace {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, header.parse().expect("a header value"));
        Trace::of(&headers, &Sevens)
    }

    #[test]
    fn a_valid_trace_goes_on_with_a_new_span() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let trace = of(&format!("00-{id}-00f067aa0ba902b7-00"));
        assert_eq!((trace.trace_id.as_str(), trace.span_id.as_str()), (id, "0707070707070707"));
    }

    #[test]
    fn anything_else_begins_a_new_one() {
        for header in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(of(header).trace_id, "07".repeat(16), "{header}");
        }
    }
}
