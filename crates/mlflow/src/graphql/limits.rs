//! How large a query may be. Fragments count where they are spread, so that what passes here is small however it is
//! written; a fragment that contains itself is too deep.

use std::collections::{HashSet, VecDeque};

use graphql_parser::query::{Field, Selection, SelectionSet};

use super::{Fragments, Operation, Text, spread};

const MOST_ROOT_FIELDS: usize = 10;
const MOST_ALIASES: usize = 10;
const MOST_DEPTH: usize = 10;
const MOST_SELECTIONS: usize = 1_000;

pub(super) fn check<'a>(operations: &[Operation<'a>], fragments: &Fragments<'a>) -> Result<(), Vec<String>> {
    let (mut root_fields, mut most_aliases, mut selections) = (0, 0, 0);
    for operation in operations {
        let mut waiting = vec![(operation.selection, 1)];
        while let Some((set, depth)) = waiting.pop() {
            if depth > MOST_DEPTH {
                return Err(vec![format!("Query exceeds maximum depth of {MOST_DEPTH}")]);
            }
            let fields = level(set, fragments).ok_or_else(too_many)?;
            let aliases = fields.iter().filter(|field| field.alias.is_some()).count();
            most_aliases = most_aliases.max(aliases);
            selections += fields.len();
            if selections > MOST_SELECTIONS {
                return Err(too_many());
            }
            if depth == 1 {
                root_fields += fields.len();
            }
            let deeper = fields.iter().filter(|field| !field.selection_set.items.is_empty());
            waiting.extend(deeper.map(|field| (&field.selection_set, depth + 1)));
        }
    }
    if root_fields > MOST_ROOT_FIELDS {
        return Err(exceeded("root fields", root_fields, MOST_ROOT_FIELDS));
    }
    if most_aliases > MOST_ALIASES {
        return Err(exceeded("aliases", most_aliases, MOST_ALIASES));
    }
    Ok(())
}

/// The fields of one level, with those of the fragments there; none when there are too many fragments to look at.
fn level<'a>(set: &'a SelectionSet<'static, Text>, fragments: &Fragments<'a>) -> Option<Vec<&'a Field<'static, Text>>> {
    let mut fields = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut waiting: VecDeque<&Selection<'static, Text>> = set.items.iter().collect();
    let mut looked_at = 0;
    while let Some(selection) = waiting.pop_front() {
        looked_at += 1;
        if looked_at > 2 * MOST_SELECTIONS {
            return None;
        }
        match selection {
            Selection::Field(field) => fields.push(field),
            Selection::FragmentSpread(spread) if !seen.insert(spread.fragment_name.as_str()) => {}
            other => waiting.extend(spread(other, fragments).into_iter().flat_map(|(_, inner)| &inner.items)),
        }
    }
    Some(fields)
}

fn too_many() -> Vec<String> {
    vec![format!("Query exceeds maximum total selections of {MOST_SELECTIONS}")]
}

fn exceeded(what: &str, found: usize, most: usize) -> Vec<String> {
    vec![format!("GraphQL queries should have at most {most} {what}, got {found} {what}.")]
}
