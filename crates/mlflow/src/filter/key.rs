/// Splits an identifier at its first dot, as MLflow does: what stands before is the entity, the rest is the key.
pub(super) fn split(identifier: &str) -> (Option<&str>, &str) {
    match identifier.split_once('.') {
        Some((entity, key)) => (Some(entity), key),
        None => (None, identifier),
    }
}

/// A key without the quotes around the whole of it: one layer of `'..'` or `".."`, then one of backticks.
pub(super) fn unquote(key: &str) -> &str {
    let key = strip(key, '\'').or_else(|| strip(key, '"')).unwrap_or(key);
    strip_backticks(key)
}

pub(super) fn strip_backticks(text: &str) -> &str {
    strip(text, '`').unwrap_or(text)
}

fn strip(text: &str, quote: char) -> Option<&str> {
    text.strip_prefix(quote)?.strip_suffix(quote)
}
