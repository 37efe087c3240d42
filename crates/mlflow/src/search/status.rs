//! Statuses in filters have MLflow's names; the record has more and other ones.

use stele_domain::search::{Attribute, Comparison, Field, Filter, Predicate};

/// A predicate on the status for the record, when it was written for names that clients know.
pub(crate) fn translated(predicate: &Predicate, names: impl Iterator<Item = (String, &'static str)>) -> Filter {
    let field = Field::Attribute(Attribute::Status);
    let texts = names.filter(|(name, _)| holds(predicate, name)).map(|(_, text)| text.to_owned()).collect();
    Filter::Test(field, Predicate::In(texts))
}

fn holds(predicate: &Predicate, name: &str) -> bool {
    match predicate {
        Predicate::Text(Comparison::Equal, value) => name == value,
        Predicate::Text(Comparison::NotEqual, value) => name != value,
        Predicate::Text(Comparison::Greater, value) => name > value.as_str(),
        Predicate::Text(Comparison::GreaterOrEqual, value) => name >= value.as_str(),
        Predicate::Text(Comparison::Less, value) => name < value.as_str(),
        Predicate::Text(Comparison::LessOrEqual, value) => name <= value.as_str(),
        Predicate::Like { pattern, ignore_case: false } => is_like(name, pattern),
        Predicate::Like { pattern, ignore_case: true } => {
            is_like(&name.to_ascii_lowercase(), &pattern.to_ascii_lowercase())
        }
        // It was read before, so that it is one.
        Predicate::Matches(expression) => regex::Regex::new(expression).is_ok_and(|it| it.is_match(name)),
        Predicate::Contains(part) => name.to_ascii_lowercase().contains(&part.to_ascii_lowercase()),
        Predicate::In(values) => values.iter().any(|value| value == name),
        Predicate::NotIn(values) => values.iter().all(|value| value != name),
        Predicate::IsNotNull => true,
        Predicate::Number(..) | Predicate::IsNull => false,
    }
}

/// SQL's `LIKE` without an escape character: `%` stands for any text, `_` for one character.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut want) = (0, 0);
    // Where to go on after a mismatch: the last `%`, and how much of the text it covers.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(want) {
            Some('%') => {
                retry = Some((want, at));
                want += 1;
            }
            Some(letter) if *letter == '_' || *letter == text[at] => {
                at += 1;
                want += 1;
            }
            _ => {
                let Some((percent, covered)) = retry else { return false };
                retry = Some((percent, covered + 1));
                at = covered + 1;
                want = percent + 1;
            }
        }
    }
    pattern[want..].iter().all(|letter| *letter == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (text, pattern) in [("RUNNING", "RUN%"), ("RUNNING", "%N_NG"), ("", "%"), ("FAILED", "F%L_D"), ("a", "_%")]
        {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("RUNNING", "RUN"), ("", "_"), ("RUNNING", "run%"), ("FAILED", "%X%")] {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
    }
}
