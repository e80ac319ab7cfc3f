//! <https://infra.spec.whatwg.org/#forgiving-base64>

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// With padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut result = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for place in 0..4 {
            if place <= chunk.len() {
                let index = (bits >> (18 - 6 * place)) & 63;
                result.push(char::from(ALPHABET[index as usize]));
            } else {
                result.push('=');
            }
        }
    }
    result
}

/// <https://infra.spec.whatwg.org/#forgiving-base64-decode>
pub(crate) fn decode(data: &[u16]) -> Option<Vec<u8>> {
    // Step 1: white space does not count.
    let mut digits: Vec<u16> = data
        .iter()
        .copied()
        .filter(|unit| !matches!(unit, 0x09 | 0x0a | 0x0c | 0x0d | 0x20))
        .collect();
    // Step 2: padding that completes the last group goes.
    if digits.len().is_multiple_of(4) {
        let padding = digits
            .iter()
            .rev()
            .take(2)
            .take_while(|unit| **unit == 0x3d)
            .count();
        digits.truncate(digits.len() - padding);
    }
    // Step 3.
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut result = Vec::with_capacity(digits.len() * 3 / 4);
    let mut bits = 0_u32;
    let mut count = 0;
    for unit in digits {
        // Step 4: only digits of the alphabet.
        let digit = ALPHABET
            .iter()
            .position(|digit| u16::from(*digit) == unit)?;
        bits = (bits << 6) | u32::try_from(digit).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            result.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    fn decoded(text: &str) -> Option<Vec<u8>> {
        decode(&text.encode_utf16().collect::<Vec<_>>())
    }

    #[test]
    fn bytes_come_back_from_base64() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xff\0", "/wA="),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decoded(text).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn decoding_forgives_white_space_and_missing_padding_only() {
        assert_eq!(decoded(" Z g\n").as_deref(), Some(&b"f"[..]));
        for wrong in ["Z", "Zg=", "Zg===", "Z=g=", "Zm9v!", "\u{e4}AAA"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
