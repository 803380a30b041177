use std::fmt;

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// So many bytes are written at once.
const CHUNK: usize = 32;

/// Bytes, as lower-case hexadecimal digits. Formatting byte by byte costs several times as much, and
/// a document has dozens of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<'b>(pub &'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chunks(CHUNK).try_for_each(|bytes| {
            let mut digits = [0; 2 * CHUNK];
            for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
                pair[0] = DIGITS[usize::from(byte >> 4)];
                pair[1] = DIGITS[usize::from(byte & 15)];
            }
            let text = std::str::from_utf8(&digits[..2 * bytes.len()]);
            f.write_str(text.map_err(|_| fmt::Error)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_two_digits_however_many_there_are() {
        let all: Vec<u8> = (0..=255).collect();
        for length in [0, 1, 31, 32, 33, 64, 65, 256] {
            let bytes = &all[256 - length..];
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(Hex(bytes).to_string(), expected);
        }
    }
}
