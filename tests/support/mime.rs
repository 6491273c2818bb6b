//! Reads a mail the way its receiver would: an own small decoder, so that the encoder is not checked against itself.

/// Headers (unfolded, encoded words decoded, in order) and body (transfer encoding undone, `\n` line ends) of a message.
pub fn decode(raw: &[u8]) -> (Vec<(String, String)>, String) {
    let text = String::from_utf8_lossy(raw).replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        match (line.starts_with([' ', '\t']), headers.last_mut()) {
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
        }
    }
    for (_, value) in &mut headers {
        *value = words(value);
    }
    let encoding = find(&headers, "Content-Transfer-Encoding")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let bytes = match encoding.as_str() {
        "base64" => base64(body.as_bytes()),
        "quoted-printable" => quoted(&body.replace("=\n", ""), false),
        _ => body.as_bytes().to_vec(),
    };
    (headers, String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
}

/// The value of a header, by name without case.
pub fn find(headers: &[(String, String)], name: &str) -> Option<String> {
    headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.clone())
}

/// RFC 2047: white space between two encoded words belongs to nobody.
fn words(value: &str) -> String {
    let mut out: Vec<u8> = Vec::new();
    let mut last_encoded = false;
    for (i, word) in value.split(' ').enumerate() {
        let parts: Vec<&str> = word.split('?').collect();
        let decoded = match parts.as_slice() {
            ["=", charset, "b" | "B", text, "="] if charset.eq_ignore_ascii_case("utf-8") => {
                Some(base64(text.as_bytes()))
            }
            ["=", charset, "q" | "Q", text, "="] if charset.eq_ignore_ascii_case("utf-8") => Some(quoted(text, true)),
            _ => None,
        };
        if i > 0 && !(last_encoded && decoded.is_some()) {
            out.push(b' ');
        }
        last_encoded = decoded.is_some();
        out.extend(decoded.unwrap_or_else(|| word.as_bytes().to_vec()));
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Base64, whatever is not of its alphabet left out.
pub fn base64(text: &[u8]) -> Vec<u8> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0_u32);
    for letter in text {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits & 0xff) as u8);
        }
    }
    out
}

fn quoted(text: &str, underscore_is_space: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut i) = (Vec::new(), 0);
    while i < bytes.len() {
        let hex = text.get(i + 1..i + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[i], hex) {
            (b'=', Some(value)) => {
                out.push(value);
                i += 3;
                continue;
            }
            (b'_', _) if underscore_is_space => out.push(b' '),
            (other, _) => out.push(other),
        }
        i += 1;
    }
    out
}
