//! Names for things whose own name SageMaker's clients cannot print.

use std::fmt;

/// The longest name of a model package group.
pub const LONGEST_GROUP: usize = 63;

/// Whether SageMaker can print a name: letters, digits and single or more hyphens inside.
pub fn is_printable(name: &str, longest: usize) -> bool {
    name.len() <= longest
        && !name.is_empty()
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && substituted(name).is_none()
}

/// A name for a thing whose own cannot be printed: what can be printed of it, so that people recognise it, and its id,
/// which alone counts. Names that look like one are never printed as they are, so that no two things collide.
pub fn substitute(name: &str, id: impl fmt::Display) -> String {
    let mut readable = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            readable.push(c);
        } else if !readable.is_empty() && !readable.ends_with('-') {
            readable.push('-');
        }
    }
    readable.truncate(26);
    let readable = readable.trim_end_matches('-');
    let readable = if readable.is_empty() { "unnamed" } else { readable };
    format!("{readable}-x{id:0>32}")
}

/// How a thing is called where names must be printable.
pub fn shown(name: &str, longest: usize, id: impl fmt::Display) -> String {
    if is_printable(name, longest) { name.to_owned() } else { substitute(name, id) }
}

/// The id in a substitute.
pub fn substituted(name: &str) -> Option<&str> {
    let (_, id) = name.rsplit_once("-x")?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substitutes_are_printable_in_form_and_never_taken_for_names() {
        let id = "0123456789abcdef0123456789abcdef";
        for name in ["My model (v2)", "---", "ünï", "a/b", &"long".repeat(40)] {
            assert!(!is_printable(name, 63), "{name}");
            let other = substitute(name, id);
            assert!(other.len() <= 63, "{other}");
            assert_eq!(substituted(&other), Some(id));
            assert!(!is_printable(&other, 63), "a model of this name gets a substitute of its own");
        }
        assert!(is_printable("fraud-detector--2", 63));
        assert_eq!(substituted(&substitute("x y", 12)), Some("00000000000000000000000000000012"));
    }
}
