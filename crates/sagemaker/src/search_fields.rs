//! What the names of properties in a search mean in the record, and what can be asked of them.

use stele_domain::lifecycle::ApprovalStatus;
use stele_domain::search::{Attribute, Comparison, DocumentPath, Field, Filter, Predicate};

use crate::error::{Failure, Result};
use crate::kinds::{Kind, TRIAL};
use crate::{packages, shapes, trials};

/// Under what name the record's own things keep what this script alone knows of them.
const FACET: &str = "sagemaker";

/// What a search is over.
#[derive(Clone, Copy)]
pub(crate) enum Searched {
    Group,
    Package,
    Experiment,
    Component,
    Resource(&'static Kind),
}

impl Searched {
    /// What results call a record, whose members are those of the view of that name.
    pub(crate) fn record(self) -> &'static str {
        match self {
            Searched::Group => "ModelPackageGroup",
            Searched::Package => "ModelPackage",
            Searched::Experiment => "Experiment",
            Searched::Component => "TrialComponent",
            Searched::Resource(kind) => match kind.path {
                "model" => "Model",
                "model-card" => "ModelCard",
                "model-package" => "ModelPackage",
                _ => "Trial",
            },
        }
    }

    pub(crate) fn is_component(self) -> bool {
        matches!(self, Searched::Component)
    }
}

/// What a property is, which decides what can be asked of it.
pub(crate) enum Property {
    Text(Field),
    Number(Field),
    /// What the history of a metric comes to.
    Statistic(Statistic),
    Time(Attribute),
    /// Nothing of what is searched has it.
    Absent,
    /// The decision on a model package.
    Approval,
    /// How a run is doing.
    Status,
}

/// A statistic of a metric, such as its least value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statistic {
    pub(crate) metric: String,
    /// As answers call it.
    pub(crate) name: &'static str,
}

impl Property {
    pub(crate) fn sortable(self, name: &str) -> Result<Field> {
        match self {
            Property::Text(Field::Document(path)) if path.0.first().is_some_and(|first| first == FACET) => {
                Err(not_sortable(name))
            }
            Property::Text(Field::Tag(_) | Field::Param(_)) | Property::Approval | Property::Statistic(_) => {
                Err(not_sortable(name))
            }
            Property::Text(field) | Property::Number(field) => Ok(field),
            // None comes before another.
            Property::Absent => Ok(Field::Attribute(Attribute::CreatedAt)),
            Property::Time(attribute) => Ok(Field::Attribute(attribute)),
            Property::Status => Ok(Field::Attribute(Attribute::Status)),
        }
    }
}

fn not_sortable(name: &str) -> Failure {
    Failure::validation(format!("Results cannot be sorted by '{name}' here."))
}

/// The property of a name. What the record does not know is looked for in what was kept of the request.
pub(crate) fn field(searched: Searched, name: &str) -> Result<Property> {
    use Searched::{Component, Experiment, Group, Package, Resource};
    let attribute = |attribute| Property::Text(Field::Attribute(attribute));
    if let Some(key) = key_of("Tags", name) {
        return Ok(Property::Text(Field::Tag(key.to_owned())));
    }
    if searched.is_component()
        && let Some(key) = key_of("Parameters", name)
    {
        let key = key.strip_suffix(".StringValue").or(key.strip_suffix(".NumberValue")).unwrap_or(key);
        return Ok(Property::Text(Field::Param(key.to_owned())));
    }
    if searched.is_component()
        && let Some(key) = key_of("Metrics", name)
    {
        return Ok(metric(key));
    }
    Ok(match (searched, name) {
        (_, "CreationTime") => Property::Time(Attribute::CreatedAt),
        (Component, "LastModifiedTime") => Property::Time(Attribute::CreatedAt),
        (_, "LastModifiedTime") => Property::Time(Attribute::UpdatedAt),
        (Group | Package, "ModelPackageGroupName") => attribute(Attribute::Name),
        (Group, "ModelPackageGroupDescription") | (Package, "ModelPackageDescription") => {
            attribute(Attribute::Description)
        }
        // Versions of groups have no names of their own.
        (Package, "ModelPackageName") => Property::Absent,
        (Package, "ModelPackageVersion") => Property::Number(Field::Attribute(Attribute::VersionNumber)),
        (Package, "ModelApprovalStatus") => Property::Approval,
        (Experiment, "ExperimentName") => attribute(Attribute::Name),
        (Component, "TrialComponentName") => attribute(Attribute::Alias),
        (Component, "DisplayName" | "RunName") => attribute(Attribute::Name),
        (Component, "Status.PrimaryStatus") => Property::Status,
        (Component, "StartTime") => Property::Time(Attribute::StartTime),
        (Component, "EndTime") => Property::Time(Attribute::EndTime),
        (Component, "Parents.TrialName") => attribute(Attribute::Trial),
        (Resource(kind), name) if name == kind.name => attribute(Attribute::Name),
        (Resource(kind), "ExperimentName" | "Parents.ExperimentName") if kind.path == TRIAL.path => {
            attribute(Attribute::ExperimentId)
        }
        (Resource(kind), name) if kind.path == "model" => {
            // The model is inside of a record of the dashboard.
            match name.strip_prefix("Model.") {
                Some(inner) => return field(searched, inner),
                None => Property::Text(known(searched, name, None)?),
            }
        }
        (Resource(_), "ModelPackageVersion") => Property::Absent,
        (Resource(_), "ModelCardVersion") => Property::Number(Field::Attribute(Attribute::VersionNumber)),
        (Resource(_), name) => Property::Text(known(searched, name, None)?),
        (_, name) => Property::Text(known(searched, name, Some(FACET))?),
    })
}

/// A value inside of what was kept of the request, if the records of results have such a member.
fn known(searched: Searched, name: &str, facet: Option<&str>) -> Result<Field> {
    let first = name.split('.').next().unwrap_or_default();
    if !shapes::view(searched.record()).iter().any(|member| member == first) {
        return Err(Failure::validation(format!("Unknown property name: {name}")));
    }
    let path = facet.into_iter().chain(name.split('.')).map(str::to_owned).collect();
    Ok(Field::Document(DocumentPath(path)))
}

/// What follows the name of a map in the name of a property. The SDK's examples write the map with a small letter.
fn key_of<'n>(map: &str, name: &'n str) -> Option<&'n str> {
    let (first, key) = name.split_once('.')?;
    first.eq_ignore_ascii_case(map).then_some(key)
}

/// A metric with one of its statistics, or else with its newest value, which searches know without reading its history.
fn metric(key: &str) -> Property {
    let (metric, statistic) = key.rsplit_once('.').unwrap_or((key, "Last"));
    let metric = metric.to_owned();
    let name = ["Min", "Max", "Avg", "Count", "StdDev"].into_iter().find(|name| name.eq_ignore_ascii_case(statistic));
    match name {
        Some(name) => Property::Statistic(Statistic { metric, name }),
        None if statistic.eq_ignore_ascii_case("last") => Property::Number(Field::Metric(metric)),
        None => Property::Number(Field::Metric(key.to_owned())),
    }
}

/// What a filter asks of a property.
pub(crate) fn test(property: &Property, name: &str, operator: &str, value: &str) -> Result<Filter> {
    let not = |filter| Filter::Not(Box::new(filter));
    let comparison = comparison(operator);
    let refused = || Failure::validation(format!("The operator {operator} is not supported for '{name}'."));
    let listed = || value.split(',').map(|value| value.trim().to_owned());
    let filter = match (property, operator) {
        (Property::Text(field), "Exists") | (Property::Number(field), "Exists") => {
            Filter::Test(field.clone(), Predicate::IsNotNull)
        }
        (Property::Text(field), "NotExists") | (Property::Number(field), "NotExists") => {
            not(Filter::Test(field.clone(), Predicate::IsNotNull))
        }
        (Property::Time(attribute), "Exists") => Filter::Test(Field::Attribute(*attribute), Predicate::IsNotNull),
        (Property::Time(attribute), "NotExists") => {
            not(Filter::Test(Field::Attribute(*attribute), Predicate::IsNotNull))
        }
        (Property::Approval | Property::Status, "Exists") => Filter::All,
        (Property::Approval | Property::Status, "NotExists") => Filter::Or(Vec::new()),
        (Property::Absent, "NotExists") => Filter::All,
        // What is not there has no value; of its negation see below.
        (Property::Absent, _) => Filter::Or(Vec::new()),
        // They are compared where the histories are read.
        (Property::Statistic(_), _) => return Err(refused()),
        (Property::Text(field), "Contains") => Filter::Test(field.clone(), Predicate::Contains(value.to_owned())),
        (Property::Text(field), "In") => Filter::Test(field.clone(), Predicate::In(listed().collect())),
        (Property::Text(field), "Equals" | "NotEquals") => {
            Filter::Test(field.clone(), Predicate::Text(Comparison::Equal, value.to_owned()))
        }
        (Property::Text(_), _) => return Err(refused()),
        (Property::Number(field), "In") => {
            let tests = listed().map(|value| Ok(Filter::Test(field.clone(), number(name, Comparison::Equal, &value)?)));
            Filter::Or(tests.collect::<Result<_>>()?)
        }
        (Property::Number(field), _) => {
            Filter::Test(field.clone(), number(name, comparison.ok_or_else(refused)?, value)?)
        }
        (Property::Time(attribute), _) => {
            let time = time(value).ok_or_else(|| {
                Failure::validation(format!("The value '{value}' of the filter on '{name}' is not a time."))
            })?;
            let predicate = Predicate::Number(comparison.ok_or_else(refused)?, time);
            Filter::Test(Field::Attribute(*attribute), predicate)
        }
        (Property::Approval, "Equals" | "NotEquals" | "In") => {
            let known = ["PendingManualApproval", "Approved", "Rejected"];
            let meant: Vec<ApprovalStatus> = listed()
                .filter(|value| known.contains(&value.as_str()))
                .map(|value| packages::approval(&value))
                .collect();
            let texts = meant.iter().map(|approval| approval.as_str().to_owned()).collect();
            Filter::Test(Field::Attribute(Attribute::Approval), Predicate::In(texts))
        }
        (Property::Status, "Equals" | "NotEquals" | "In") => {
            Filter::Or(listed().map(|value| trials::status_filter(Comparison::Equal, &value)).collect())
        }
        (Property::Approval | Property::Status, _) => return Err(refused()),
    };
    Ok(if operator == "NotEquals" { not(filter) } else { filter })
}

pub(crate) fn comparison(operator: &str) -> Option<Comparison> {
    match operator {
        "GreaterThan" => Some(Comparison::Greater),
        "GreaterThanOrEqualTo" => Some(Comparison::GreaterOrEqual),
        "LessThan" => Some(Comparison::Less),
        "LessThanOrEqualTo" => Some(Comparison::LessOrEqual),
        "Equals" | "NotEquals" => Some(Comparison::Equal),
        _ => None,
    }
}

fn number(name: &str, comparison: Comparison, value: &str) -> Result<Predicate> {
    let number = value
        .trim()
        .parse()
        .map_err(|_| Failure::validation(format!("The value '{value}' of the filter on '{name}' is not a number.")))?;
    Ok(Predicate::Number(comparison, number))
}

/// Milliseconds since the epoch, from ISO 8601 or from seconds.
fn time(value: &str) -> Option<f64> {
    if let Ok(seconds) = value.parse::<f64>() {
        return Some(seconds * 1000.0);
    }
    let spelled = if value.contains('T') { value.to_owned() } else { format!("{value}T00:00:00Z") };
    let spelled = if spelled.ends_with('Z') || spelled.contains('+') { spelled } else { format!("{spelled}Z") };
    let time = chrono::DateTime::parse_from_rfc3339(&spelled).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
    Some(time.timestamp_millis() as f64)
}
