//! Names of things as ARNs.

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
}
