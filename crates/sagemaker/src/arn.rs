//! Names of things as ARNs, and names for things whose own name SageMaker cannot print.

use std::fmt;

/// What comes after the account in an ARN: `kind/rest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    pub(crate) kind: &'a str,
    pub(crate) rest: &'a str,
}

/// Splits an ARN of this account, of any region.
pub(crate) fn parse<'a>(arn: &'a str, account: &str) -> Option<Path<'a>> {
    let mut parts = arn.splitn(6, ':');
    let (scheme, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_region, owner, path) = (parts.next()?, parts.next()?, parts.next()?);
    if scheme != "arn" || service != "sagemaker" || owner != account {
        return None;
    }
    let (kind, rest) = path.split_once('/')?;
    Some(Path { kind, rest })
}

/// The name that a member means, which is a name or an ARN of the kind.
pub(crate) fn name_in<'a>(given: &'a str, kind: &str, account: &str) -> &'a str {
    match parse(given, account) {
        Some(path) if path.kind == kind => path.rest,
        _ => given,
    }
}

/// Whether SageMaker can print a name: letters, digits and single or more hyphens inside.
pub(crate) fn is_printable(name: &str, longest: usize) -> bool {
    name.len() <= longest
        && !name.is_empty()
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && substituted(name).is_none()
}

/// A name for a thing whose own cannot be printed: what can be printed of it, so that people recognise it, and its id,
/// which alone counts. Names that look like one are never printed as they are, so that no two things collide.
pub(crate) fn substitute(name: &str, id: impl fmt::Display) -> String {
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

/// The id in a substitute.
pub(crate) fn substituted(name: &str) -> Option<&str> {
    let (_, id) = name.rsplit_once("-x")?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_the_account_split_and_others_do_not() {
        let arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/g/1";
        assert_eq!(parse(arn, "123456789012"), Some(Path { kind: "model-package", rest: "g/1" }));
        assert_eq!(parse(arn, "210987654321"), None);
        assert_eq!(name_in(arn, "model-package", "123456789012"), "g/1");
        assert_eq!(name_in("g", "model-package", "123456789012"), "g");
    }

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
