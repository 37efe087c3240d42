//! What a rule needs before all else, tested without Cedar: most rules are about something else than what is asked
//! about, and are known not to apply before Cedar is asked for them.
//!
//! A rule is its scope and then its conditions, from left to right, up to the first that is false. The needs are those
//! at its beginning that this module understands, so that a rule with a need that is not met is one that Cedar would
//! come to leave at the same place, without an error on the way.

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde_json::Value;
use stele_domain::authz::{Principal, Question, Thing};
use stele_domain::id::Timestamp;
use stele_domain::identity::AccountKind;
use stele_domain::record::Tag;

/// What is asked, as needs look at it.
pub(crate) struct Facts<'a> {
    pub(crate) question: &'a Question<'a>,
    pub(crate) moment: Moment,
}

/// A time in UTC, as rules see it.
pub(crate) struct Moment {
    pub(crate) time: DateTime<Utc>,
    pub(crate) weekday: &'static str,
    pub(crate) hour: i64,
}

impl Moment {
    fn at(now: Timestamp) -> Moment {
        const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let time: DateTime<Utc> = DateTime::from_timestamp_millis(now.0).unwrap_or_default();
        let weekday = WEEKDAYS[time.weekday().num_days_from_monday() as usize % WEEKDAYS.len()];
        Moment { time, weekday, hour: time.hour().into() }
    }
}

/// A condition that this module understands. It is neither true nor false where it speaks of what is not there, which
/// Cedar has a word on.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    Is(Party, String),
    /// One of these.
    Equals(Party, Vec<Named>),
    /// One of these, or below it.
    In(Party, Vec<Named>),
    HasTag(Tagged, String),
    TagIs(Tagged, String, String),
    Has(Text),
    TextIs(Text, String),
    NumberIs(Number, Comparison, i64),
    ChangesTag(String),
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Party {
    Principal,
    Resource,
}

/// The type and the id of an entity.
#[derive(Debug, Clone, PartialEq)]
struct Named(String, String);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Tagged {
    Resource,
    /// The model that a version is of.
    Model,
}

#[derive(Debug, Clone, PartialEq)]
enum Text {
    Context(String),
    Principal(String),
    Resource(String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Hour,
    Version,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
}

/// What a change may not want at all; all of it is text.
const MAY_BE_ABSENT: [&str; 4] = ["target_stage", "target_approval", "alias", "new_name"];

/// The needs of one rule, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Needs(Vec<Test>);

impl Needs {
    /// Those of a rule in Cedar's JSON.
    pub(crate) fn of(rule: &Value) -> Needs {
        let mut needs = Needs::default();
        let _ = needs.take_rule(rule);
        needs
    }

    /// Takes what comes first, as long as it is understood.
    fn take_rule(&mut self, rule: &Value) -> Option<()> {
        self.take_scope(Party::Principal, &rule["principal"])?;
        self.take_scope(Party::Resource, &rule["resource"])?;
        for condition in rule["conditions"].as_array()? {
            match condition["kind"].as_str()? {
                "when" => self.take(&condition["body"])?,
                "unless" => self.0.push(Test::Not(Box::new(test(&condition["body"])?))),
                _ => return None,
            }
        }
        Some(())
    }

    fn take_scope(&mut self, party: Party, scope: &Value) -> Option<()> {
        let of_entity = |scope: &Value| Some(vec![named(&scope["entity"])?]);
        match scope["op"].as_str()? {
            "All" => {}
            "==" => self.0.push(Test::Equals(party, of_entity(scope)?)),
            "in" => self.0.push(Test::In(party, of_entity(scope)?)),
            "is" => {
                self.0.push(Test::Is(party, scope["entity_type"].as_str()?.to_owned()));
                if let Some(within) = scope.get("in") {
                    self.0.push(Test::In(party, of_entity(within)?));
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn take(&mut self, condition: &Value) -> Option<()> {
        if let Some(("&&", both)) = operation(condition) {
            self.take(&both["left"])?;
            return self.take(&both["right"]);
        }
        self.0.push(test(condition)?);
        Some(())
    }

    /// Whether Cedar has to be asked.
    pub(crate) fn may_be_met(&self, facts: &Facts) -> bool {
        all(&self.0, facts) != Some(false)
    }
}

fn test(expression: &Value) -> Option<Test> {
    let (operator, operands) = operation(expression)?;
    let (left, right) = (&operands["left"], &operands["right"]);
    match operator {
        "&&" => Some(Test::All(vec![test(left)?, test(right)?])),
        "||" => Some(Test::Any(vec![test(left)?, test(right)?])),
        "!" => Some(Test::Not(Box::new(test(&operands["arg"])?))),
        "==" => equals(left, right).or_else(|| equals(right, left)),
        "!=" => equals(left, right).or_else(|| equals(right, left)).map(|test| Test::Not(Box::new(test))),
        "<" => compared(left, Comparison::Less, right),
        "<=" => compared(left, Comparison::LessOrEqual, right),
        ">" => compared(left, Comparison::LessOrEqual, right).map(|test| Test::Not(Box::new(test))),
        ">=" => compared(left, Comparison::Less, right).map(|test| Test::Not(Box::new(test))),
        "in" => Some(Test::In(party(left)?, entities(right)?)),
        "is" if operands.get("in").is_none() => {
            Some(Test::Is(party(left)?, operands["entity_type"].as_str()?.to_owned()))
        }
        "has" if is_variable(left, "context") => {
            let name = operands["attr"].as_str().filter(|name| MAY_BE_ABSENT.contains(name))?;
            Some(Test::Has(Text::Context(name.to_owned())))
        }
        "hasTag" => Some(Test::HasTag(tagged(left)?, string(right)?)),
        "contains" => match attribute(left)? {
            (of, "changed_tags") if is_variable(of, "context") => Some(Test::ChangesTag(string(right)?)),
            _ => None,
        },
        _ => None,
    }
}

fn equals(value: &Value, literal: &Value) -> Option<Test> {
    if let Some(party) = party(value) {
        return Some(Test::Equals(party, vec![named(literal.get("Value")?.get("__entity")?)?]));
    }
    if let Some(("getTag", operands)) = operation(value) {
        return Some(Test::TagIs(tagged(&operands["left"])?, string(&operands["right"])?, string(literal)?));
    }
    match string(literal) {
        Some(literal) => Some(Test::TextIs(text(value)?, literal)),
        None => compared(value, Comparison::Equal, literal),
    }
}

fn compared(value: &Value, comparison: Comparison, literal: &Value) -> Option<Test> {
    let number = match attribute(value)? {
        (of, "hour") if is_variable(of, "context") => Number::Hour,
        (of, "number") if is_variable(of, "resource") => Number::Version,
        _ => return None,
    };
    Some(Test::NumberIs(number, comparison, literal.get("Value")?.as_i64()?))
}

/// The only operator of an expression, and what it is applied to.
fn operation(expression: &Value) -> Option<(&str, &Value)> {
    let object = expression.as_object().filter(|object| object.len() == 1)?;
    object.iter().next().map(|(operator, operands)| (operator.as_str(), operands))
}

fn is_variable(expression: &Value, name: &str) -> bool {
    expression.get("Var").is_some_and(|variable| variable == name)
}

fn attribute(expression: &Value) -> Option<(&Value, &str)> {
    match operation(expression)? {
        (".", operands) => Some((&operands["left"], operands["attr"].as_str()?)),
        _ => None,
    }
}

fn party(expression: &Value) -> Option<Party> {
    [("principal", Party::Principal), ("resource", Party::Resource)]
        .into_iter()
        .find_map(|(name, party)| is_variable(expression, name).then_some(party))
}

fn tagged(expression: &Value) -> Option<Tagged> {
    if is_variable(expression, "resource") {
        return Some(Tagged::Resource);
    }
    let (of, name) = attribute(expression)?;
    (is_variable(of, "resource") && name == "model").then_some(Tagged::Model)
}

fn text(expression: &Value) -> Option<Text> {
    let (of, name) = attribute(expression)?;
    let of: fn(String) -> Text = match of.get("Var")?.as_str()? {
        "context" => Text::Context,
        "principal" => Text::Principal,
        "resource" => Text::Resource,
        _ => return None,
    };
    Some(of(name.to_owned()))
}

fn string(expression: &Value) -> Option<String> {
    expression.get("Value")?.as_str().map(str::to_owned)
}

fn entities(expression: &Value) -> Option<Vec<Named>> {
    let entity = |expression: &Value| named(expression.get("Value")?.get("__entity")?);
    match expression.get("Set") {
        Some(set) => set.as_array()?.iter().map(entity).collect(),
        None => Some(vec![entity(expression)?]),
    }
}

fn named(entity: &Value) -> Option<Named> {
    Some(Named(entity["type"].as_str()?.to_owned(), entity["id"].as_str()?.to_owned()))
}

/// As `&&` has it: the first that is not true is the answer.
fn all(tests: &[Test], facts: &Facts) -> Option<bool> {
    tests.iter().map(|test| test.is_met(facts)).find(|met| *met != Some(true)).unwrap_or(Some(true))
}

impl Test {
    fn is_met(&self, facts: &Facts) -> Option<bool> {
        match self {
            Test::Is(party, kind) => Some(facts.kind(*party) == kind),
            Test::Equals(party, these) => Some(these.iter().any(|one| facts.is(*party, one))),
            Test::In(party, these) => {
                Some(these.iter().any(|one| facts.is(*party, one) || facts.is_below(*party, one)))
            }
            Test::HasTag(of, key) => Some(facts.tag(*of, key)?.is_some()),
            Test::TagIs(of, key, value) => Some(facts.tag(*of, key)?? == value),
            Test::Has(text) => Some(facts.text(text).is_some()),
            Test::TextIs(text, value) => Some(facts.text(text)? == value),
            Test::NumberIs(number, comparison, value) => {
                let number = facts.number(*number)?;
                Some(match comparison {
                    Comparison::Equal => number == *value,
                    Comparison::Less => number < *value,
                    Comparison::LessOrEqual => number <= *value,
                })
            }
            Test::ChangesTag(key) => Some(facts.question.intent.tags.contains(key)),
            Test::Not(test) => test.is_met(facts).map(|met| !met),
            Test::All(tests) => all(tests, facts),
            Test::Any(tests) => {
                tests.iter().map(|test| test.is_met(facts)).find(|met| *met != Some(false)).unwrap_or(Some(false))
            }
        }
    }
}

impl<'a> Facts<'a> {
    pub(crate) fn of(question: &'a Question<'a>) -> Facts<'a> {
        Facts { question, moment: Moment::at(question.now) }
    }

    fn kind(&self, party: Party) -> &'static str {
        match (party, self.question.thing) {
            (Party::Principal, _) => match self.question.principal {
                Principal::Account(account) if account.kind == AccountKind::Service => "Service",
                _ => "User",
            },
            (Party::Resource, Thing::Workspace) => "Workspace",
            (Party::Resource, Thing::Experiment { .. }) => "Experiment",
            (Party::Resource, Thing::Model { .. }) => "Model",
            (Party::Resource, Thing::ModelVersion { .. }) => "ModelVersion",
        }
    }

    fn is(&self, party: Party, Named(kind, id): &Named) -> bool {
        self.kind(party) == kind
            && match (party, self.question.thing) {
                (Party::Principal, _) => self.question.principal.name() == id,
                (Party::Resource, Thing::Workspace) => self.question.workspace == id,
                (Party::Resource, Thing::Experiment { id: own, .. }) => own.to_string() == *id,
                (Party::Resource, Thing::Model { name, .. }) => name == id,
                (Party::Resource, Thing::ModelVersion { model, number, .. }) => format!("{model}/{number}") == *id,
            }
    }

    fn is_below(&self, party: Party, Named(kind, id): &Named) -> bool {
        match (party, kind.as_str()) {
            (Party::Principal, "Group") => self.question.principal.groups().contains(id),
            (Party::Principal, "Role") => self.question.roles.iter().any(|role| role.as_str() == id),
            (Party::Resource, "Workspace") => {
                !matches!(self.question.thing, Thing::Workspace) && self.question.workspace == id
            }
            (Party::Resource, "Model") => {
                matches!(self.question.thing, Thing::ModelVersion { model, .. } if model == id)
            }
            _ => false,
        }
    }

    /// The value of a tag. None where there is nothing that could have tags.
    fn tag(&self, of: Tagged, key: &str) -> Option<Option<&str>> {
        let tags: &[Tag] = match (of, self.question.thing) {
            (Tagged::Resource, Thing::Workspace) => &[],
            (Tagged::Resource, Thing::Experiment { tags, .. })
            | (Tagged::Resource, Thing::Model { tags, .. })
            | (Tagged::Resource, Thing::ModelVersion { tags, .. })
            | (Tagged::Model, Thing::ModelVersion { model_tags: tags, .. }) => tags,
            (Tagged::Model, _) => return None,
        };
        Some(tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str()))
    }

    fn text(&self, text: &Text) -> Option<&str> {
        let Question { principal, intent, thing, workspace, script, .. } = self.question;
        match text {
            Text::Context(name) => match name.as_str() {
                "target_stage" => intent.stage.map(|stage| stage.as_str()),
                "target_approval" => intent.approval.map(|approval| approval.as_str()),
                "alias" => intent.alias.as_deref(),
                "new_name" => intent.name.as_deref(),
                "weekday" => Some(self.moment.weekday),
                "script" => Some(script),
                _ => None,
            },
            Text::Principal(name) => (name == "name").then(|| principal.name()),
            Text::Resource(name) => match (name.as_str(), thing) {
                ("name", Thing::Workspace) => Some(workspace),
                ("name", Thing::Experiment { name, .. } | Thing::Model { name, .. }) => Some(name),
                ("stage", Thing::ModelVersion { stage, .. }) => Some(stage.as_str()),
                ("approval", Thing::ModelVersion { approval, .. }) => Some(approval.as_str()),
                _ => None,
            },
        }
    }

    fn number(&self, number: Number) -> Option<i64> {
        match (number, self.question.thing) {
            (Number::Hour, _) => Some(self.moment.hour),
            (Number::Version, Thing::ModelVersion { number, .. }) => Some(*number),
            (Number::Version, _) => None,
        }
    }
}
