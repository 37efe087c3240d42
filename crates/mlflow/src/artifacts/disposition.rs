use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization;

/// What RFC 5987 lets stand as it is.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The `Content-Disposition` that makes browsers save the file under its name: shown on our address, an HTML
/// artifact could act as the user. Names beyond ASCII come twice, the first time for old readers.
pub(super) fn attachment(name: &str) -> String {
    if name.is_ascii() {
        return format!("attachment; filename={}", quoted(name));
    }
    let plain: String = name.nfkd().filter(char::is_ascii).collect();
    let plain = if plain.is_empty() { "download" } else { &plain };
    format!("attachment; filename={}; filename*=UTF-8''{}", quoted(plain), utf8_percent_encode(name, ATTR_CHAR))
}

fn quoted(value: &str) -> String {
    let is_token_char = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if value.bytes().all(is_token_char) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_when_they_must_be() {
        for (name, value) in [
            ("a.txt", "attachment; filename=a.txt"),
            ("two words.txt", "attachment; filename=\"two words.txt\""),
            ("say \"hi\".txt", "attachment; filename=\"say \\\"hi\\\".txt\""),
            ("a+b,c=d.txt", "attachment; filename=\"a+b,c=d.txt\""),
            ("naïve.txt", "attachment; filename=naive.txt; filename*=UTF-8''na%C3%AFve.txt"),
            ("日本", "attachment; filename=download; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
        ] {
            assert_eq!(attachment(name), value);
        }
    }
}
