//! Search expressions, read into the record's search language.

use serde_json::{Map, Value};
use stele_domain::search::{Attribute, Comparison, Field, Filter, Predicate};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::kinds::TRIAL;
use crate::search_fields::{Property, Searched, field, test};
use crate::statistics::Condition;
use crate::{experiments, packages, registry};

/// The deepest nesting of sub-expressions, and the most filters in all.
const DEEPEST: usize = 20;
const MOST_FILTERS: usize = 400;

/// What an expression asks: what the record can be searched by, and what must hold of histories besides.
pub(crate) struct Expression {
    pub(crate) filter: Filter,
    pub(crate) conditions: Vec<Condition>,
}

/// Reads the expression of a search, if it has one.
pub(crate) async fn read(call: &Call, searched: Searched) -> Result<Expression> {
    let mut reader = Reader { call, searched, budget: MOST_FILTERS, conditions: Vec::new() };
    let filter = match call.map("SearchExpression") {
        Some(expression) => reader.expression(expression, 0, Joined::ByAnd).await?,
        None => Filter::All,
    };
    Ok(Expression { filter, conditions: reader.conditions })
}

/// How a part of an expression is joined to all others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joined {
    ByAnd,
    /// There is an Or on the way.
    ByOr,
}

struct Reader<'c> {
    call: &'c Call,
    searched: Searched,
    budget: usize,
    conditions: Vec<Condition>,
}

impl Reader<'_> {
    /// Its filters, nested filters and sub-expressions are joined by its operator.
    fn expression<'a>(
        &'a mut self,
        expression: &'a Map<String, Value>,
        level: usize,
        joined: Joined,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Filter>> + Send + 'a>> {
        Box::pin(async move {
            if level > DEEPEST {
                return Err(Failure::validation(format!("SubExpressions are nested more than {DEEPEST} deep.")));
            }
            let is_or = expression.get("Operator").and_then(Value::as_str) == Some("Or");
            let joined = if is_or { Joined::ByOr } else { joined };
            let list = |name: &str| expression.get(name).and_then(Value::as_array).into_iter().flatten();
            let mut parts = Vec::new();
            for filter in list("Filters") {
                parts.push(self.one(filter, joined).await?);
            }
            for nested in list("NestedFilters") {
                let property = nested.get("NestedPropertyName").and_then(Value::as_str).unwrap_or_default();
                if property != "Parents" {
                    return Err(Failure::validation(format!("NestedPropertyName '{property}' is not supported here.")));
                }
                let mut all = Vec::new();
                for filter in nested.get("Filters").and_then(Value::as_array).into_iter().flatten() {
                    all.push(self.one(filter, joined).await?);
                }
                parts.push(Filter::And(all));
            }
            for inner in list("SubExpressions").filter_map(Value::as_object) {
                parts.push(self.expression(inner, level + 1, joined).await?);
            }
            Ok(match is_or {
                _ if parts.is_empty() => Filter::All,
                true => Filter::Or(parts),
                false => Filter::And(parts),
            })
        })
    }

    async fn one(&mut self, filter: &Value, joined: Joined) -> Result<Filter> {
        self.budget = self
            .budget
            .checked_sub(1)
            .ok_or_else(|| Failure::validation(format!("A search has at most {MOST_FILTERS} filters.")))?;
        let text = |member: &str| filter.get(member).and_then(Value::as_str);
        let name = text("Name").unwrap_or_default();
        let value = text("Value");
        let operator = text("Operator").unwrap_or(if value.is_some() { "Equals" } else { "Exists" });
        if value.is_none() && !matches!(operator, "Exists" | "NotExists") {
            return Err(Failure::validation(format!("The filter on '{name}' with operator {operator} needs a Value.")));
        }
        let value = value.unwrap_or_default();
        if matches!(operator, "Equals" | "NotEquals")
            && let Some(is) = by_identity(self.call, self.searched, name, value).await?
        {
            return Ok(if operator == "Equals" { is } else { Filter::Not(Box::new(is)) });
        }
        match field(self.searched, name)? {
            Property::Statistic(_) if joined == Joined::ByOr => Err(Failure::validation(format!(
                "'{name}' cannot be joined by Or: histories are read of what the other filters leave."
            ))),
            Property::Statistic(statistic) => {
                let has = Filter::Test(Field::Metric(statistic.metric.clone()), Predicate::IsNotNull);
                match operator {
                    "Exists" => Ok(has),
                    "NotExists" => Ok(Filter::Not(Box::new(has))),
                    _ => {
                        self.conditions.push(Condition::read(statistic, name, operator, value)?);
                        Ok(has)
                    }
                }
            }
            property => test(&property, name, operator, value),
        }
    }
}

/// Names and ARNs that the record has in other words.
async fn by_identity(call: &Call, searched: Searched, name: &str, value: &str) -> Result<Option<Filter>> {
    let nobody = || Filter::Or(Vec::new());
    let is =
        |attribute, value: String| Filter::Test(Field::Attribute(attribute), Predicate::Text(Comparison::Equal, value));
    Ok(Some(match (searched, name) {
        (Searched::Group | Searched::Package, "ModelPackageGroupName") => {
            registry::real_name(call, value).await?.map_or_else(nobody, |name| is(Attribute::Name, name))
        }
        (Searched::Group, "ModelPackageGroupArn") => {
            let name = crate::arn::name_in(value, registry::GROUP, &call.account);
            registry::real_name(call, name).await?.map_or_else(nobody, |name| is(Attribute::Name, name))
        }
        (Searched::Package, "ModelPackageArn") => match packages::parse(call, value).await {
            Ok(packages::Named::Version { model, number }) => packages::is_version(model, number),
            Ok(packages::Named::Unversioned(_)) | Err(_) => nobody(),
        },
        (Searched::Experiment, "ExperimentName") => match experiments::open(call, value).await {
            Ok(found) => is(Attribute::Name, found.name),
            Err(_) => nobody(),
        },
        (Searched::Resource(kind), "ExperimentName" | "Parents.ExperimentName") if kind.path == TRIAL.path => {
            match experiments::open(call, value).await {
                Ok(found) => is(Attribute::ExperimentId, found.name),
                Err(_) => nobody(),
            }
        }
        (Searched::Component, "Parents.ExperimentName") => match experiments::open(call, value).await {
            Ok(found) => is(Attribute::ExperimentId, found.id.0.to_string()),
            Err(_) => nobody(),
        },
        (Searched::Experiment, "ExperimentArn")
        | (Searched::Component, "TrialComponentArn")
        | (Searched::Resource(_), "TrialArn" | "ModelArn" | "ModelCardArn" | "ModelPackageArn") => {
            let rest = crate::arn::parse(value, &call.account).map_or("", |path| path.rest);
            let attribute = if searched.is_component() { Attribute::Alias } else { Attribute::Name };
            is(attribute, rest.to_owned())
        }
        _ => return Ok(None),
    }))
}
