//! What the schema says about a document, before anything of it is executed.

use std::collections::HashSet;

use graphql_parser::query::{Directive, Field, Selection, SelectionSet, Type, Value};

use super::schema::{self, Given, Object};
use super::{Fragments, Operation, Text, spread};

/// `component` names the web page that asks; MLflow's pages carry it on every query.
const ON_OPERATIONS: &[&str] = &["component"];
const ON_SELECTIONS: &[&str] = &["include", "skip"];
/// Types that a variable may have besides the inputs of the calls.
const SCALARS: &[&str] = &["String", "Int", "Boolean", "Float", "ID", "LongString", "MlflowViewType"];

pub(super) fn check<'a>(operations: &[Operation<'a>], fragments: &Fragments<'a>) -> Vec<String> {
    let mut errors = Vec::new();
    for operation in operations {
        let mut checker = Checker { fragments, operation, used: HashSet::new(), errors: Vec::new() };
        checker.directives(operation.directives, ON_OPERATIONS);
        for definition in operation.variables {
            let name = named(&definition.var_type);
            if !SCALARS.contains(&name) && !inputs().any(|input| input == name) {
                checker.errors.push(format!("Unknown type '{name}'."));
            }
        }
        checker.set(operation.root, operation.selection, &mut HashSet::new());
        let unused = operation.variables.iter().filter(|definition| !checker.used.contains(definition.name.as_str()));
        let unused: Vec<String> = unused
            .map(|definition| {
                let of = operation.name.map_or_else(String::new, |name| format!(" in operation '{name}'"));
                format!("Variable '${}' is never used{of}.", definition.name)
            })
            .collect();
        checker.errors.extend(unused);
        errors.append(&mut checker.errors);
    }
    let mut seen = HashSet::new();
    errors.retain(|error| seen.insert(error.clone()));
    errors
}

fn inputs() -> impl Iterator<Item = &'static str> {
    let roots = schema::QUERY.fields.iter().chain(schema::MUTATION.fields);
    roots.filter_map(|field| field.argument.map(|(_, given)| given.name()))
}

struct Checker<'c, 'a> {
    fragments: &'c Fragments<'a>,
    operation: &'c Operation<'a>,
    used: HashSet<&'c str>,
    errors: Vec<String>,
}

impl<'a> Checker<'_, 'a> {
    /// `inside` holds the fragments that this level is part of, which cannot be spread in it again.
    fn set(&mut self, object: &'static Object, set: &'a SelectionSet<'static, Text>, inside: &mut HashSet<&'a str>) {
        for selection in &set.items {
            match selection {
                Selection::Field(field) => self.field(object, field),
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.directives, ON_SELECTIONS);
                    self.fragment(object, selection, inside);
                }
                Selection::FragmentSpread(fragment) => {
                    self.directives(&fragment.directives, ON_SELECTIONS);
                    let name = fragment.fragment_name.as_str();
                    if !self.fragments.contains_key(name) {
                        self.errors.push(format!("Unknown fragment '{name}'."));
                    } else if inside.insert(name) {
                        self.fragment(object, selection, inside);
                        inside.remove(name);
                    } else {
                        self.errors.push(format!("Cannot spread fragment '{name}' within itself."));
                    }
                }
            }
        }
    }

    fn fragment(
        &mut self,
        object: &'static Object,
        selection: &'a Selection<'static, Text>,
        inside: &mut HashSet<&'a str>,
    ) {
        let Some((on, set)) = spread(selection, self.fragments) else { return };
        match on {
            Some(on) if !schema::object(on) => self.errors.push(format!("Unknown type '{on}'.")),
            Some(on) if on != object.name => self.errors.push(format!(
                "Fragment cannot be spread here as objects of type '{}' can never be of type '{on}'.",
                object.name
            )),
            _ => self.set(object, set, inside),
        }
    }

    fn field(&mut self, object: &'static Object, field: &'a Field<'static, Text>) {
        self.directives(&field.directives, ON_SELECTIONS);
        let name = field.name.as_str();
        if name == "__typename" {
            return;
        }
        let Some(known) = object.field(name) else {
            self.errors.push(format!("Cannot query field '{name}' on type '{}'.", object.name));
            return;
        };
        for (argument, value) in &field.arguments {
            match known.argument {
                Some((expected, given)) if expected == argument => self.argument(given, value),
                _ => self.errors.push(format!("Unknown argument '{argument}' on field '{}.{name}'.", object.name)),
            }
        }
        let type_name = known.kind.name();
        match (known.kind.object(), field.selection_set.items.is_empty()) {
            (Some(inner), false) => self.set(inner, &field.selection_set, &mut HashSet::new()),
            (Some(_), true) => self.errors.push(format!(
                "Field '{name}' of type '{type_name}' must have a selection of subfields. Did you mean '{name} {{ ... }}'?"
            )),
            (None, false) => self.errors.push(format!(
                "Field '{name}' must not have a selection since type '{type_name}' has no subfields."
            )),
            (None, true) => {}
        }
    }

    fn argument(&mut self, given: Given, value: &'a Value<'static, Text>) {
        let Value::Variable(name) = value else {
            return self.variables_in(value);
        };
        let definition = self.operation.variables.iter().find(|definition| definition.name == *name);
        let Some(definition) = definition else {
            self.errors.push(format!("Variable '${name}' is not defined."));
            return;
        };
        self.used.insert(&definition.name);
        let of = named(&definition.var_type);
        if of != given.name() && (SCALARS.contains(&of) || inputs().any(|input| input == of)) {
            self.errors.push(format!(
                "Variable '${name}' of type '{}' used in position expecting type '{}'.",
                definition.var_type,
                given.name()
            ));
        }
    }

    fn variables_in(&mut self, value: &'a Value<'static, Text>) {
        match value {
            Value::Variable(name) => {
                match self.operation.variables.iter().find(|definition| definition.name == *name) {
                    Some(definition) => {
                        self.used.insert(&definition.name);
                    }
                    None => self.errors.push(format!("Variable '${name}' is not defined.")),
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.variables_in(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.variables_in(field)),
            _ => {}
        }
    }

    fn directives(&mut self, directives: &'a [Directive<'static, Text>], known: &[&str]) {
        for directive in directives {
            let name = directive.name.as_str();
            if !ON_OPERATIONS.contains(&name) && !ON_SELECTIONS.contains(&name) {
                self.errors.push(format!("Unknown directive '@{name}'."));
            } else if !known.contains(&name) {
                self.errors.push(format!("Directive '@{name}' may not be used here."));
            }
            directive.arguments.iter().for_each(|(_, value)| self.variables_in(value));
        }
    }
}

fn named<'t>(of: &'t Type<'static, Text>) -> &'t str {
    match of {
        Type::NamedType(name) => name,
        Type::ListType(inner) | Type::NonNullType(inner) => named(inner),
    }
}
