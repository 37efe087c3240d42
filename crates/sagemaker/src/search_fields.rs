//! What the names of properties in a search mean in the record, and what can be asked of them.

use stele_domain::lifecycle::ApprovalStatus;
use stele_domain::search::{Attribute, Comparison, DocumentPath, Field, Filter, Predicate};

use crate::error::{Failure, Result};
use crate::kinds::Kind;
use crate::{packages, trials};

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
    pub(crate) fn is_component(self) -> bool {
        matches!(self, Searched::Component)
    }
}

/// What a property is, which decides what can be asked of it.
pub(crate) enum Property {
    Text(Field),
    Number(Field),
    Time(Attribute),
    /// The decision on a model package.
    Approval,
    /// How a run is doing.
    Status,
}

impl Property {
    pub(crate) fn sortable(self, name: &str) -> Result<Field> {
        match self {
            Property::Text(Field::Tag(_) | Field::Param(_)) | Property::Approval => Err(not_sortable(name)),
            Property::Text(field) | Property::Number(field) => Ok(field),
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
        return metric(name, key);
    }
    Ok(match (searched, name) {
        (_, "CreationTime") => Property::Time(Attribute::CreatedAt),
        (Component, "LastModifiedTime") => Property::Time(Attribute::CreatedAt),
        (_, "LastModifiedTime") => Property::Time(Attribute::UpdatedAt),
        (Group | Package, "ModelPackageGroupName") => attribute(Attribute::Name),
        (Group, "ModelPackageGroupDescription") | (Package, "ModelPackageDescription") => {
            attribute(Attribute::Description)
        }
        (Package, "ModelPackageVersion") => Property::Number(Field::Attribute(Attribute::VersionNumber)),
        (Package, "ModelApprovalStatus") => Property::Approval,
        (Experiment, "ExperimentName") => attribute(Attribute::Name),
        (Component, "TrialComponentName") => attribute(Attribute::Alias),
        (Component, "DisplayName" | "RunName") => attribute(Attribute::Name),
        (Component, "Status.PrimaryStatus") => Property::Status,
        (Component, "StartTime") => Property::Time(Attribute::StartTime),
        (Component, "EndTime") => Property::Time(Attribute::EndTime),
        (Component, "Parents.TrialName" | "TrialName") => attribute(Attribute::Trial),
        (Resource(kind), name) if name == kind.name => attribute(Attribute::Name),
        (Resource(_), "ExperimentName") => attribute(Attribute::ExperimentId),
        (Resource(kind), name) if kind.path == "model" => {
            // The model is inside of a record of the dashboard.
            match name.strip_prefix("Model.") {
                Some(inner) => return field(searched, inner),
                None => Property::Text(in_document(None, name)),
            }
        }
        (Resource(_), "ModelCardVersion") => Property::Number(Field::Attribute(Attribute::VersionNumber)),
        (Resource(_), name) => Property::Text(in_document(None, name)),
        (_, name) => Property::Text(in_document(Some("sagemaker"), name)),
    })
}

/// What follows the name of a map in the name of a property. The SDK's examples write the map with a small letter.
fn key_of<'n>(map: &str, name: &'n str) -> Option<&'n str> {
    let (first, key) = name.split_once('.')?;
    first.eq_ignore_ascii_case(map).then_some(key)
}

/// A metric with one of its statistics, of which searches know the newest value.
fn metric(name: &str, key: &str) -> Result<Property> {
    let (metric, statistic) = key.rsplit_once('.').unwrap_or((key, "Last"));
    match statistic.to_ascii_lowercase().as_str() {
        "last" => Ok(Property::Number(Field::Metric(metric.to_owned()))),
        "min" | "max" | "avg" | "count" | "stddev" => {
            Err(Failure::validation(format!("Searches compare the Last value of a metric, not {statistic}: '{name}'.")))
        }
        _ => Ok(Property::Number(Field::Metric(key.to_owned()))),
    }
}

fn in_document(facet: Option<&str>, name: &str) -> Field {
    let path = facet.into_iter().chain(name.split('.')).map(str::to_owned).collect();
    Field::Document(DocumentPath(path))
}

/// What a filter asks of a property.
pub(crate) fn test(property: &Property, name: &str, operator: &str, value: &str) -> Result<Filter> {
    let not = |filter| Filter::Not(Box::new(filter));
    let comparison = match operator {
        "GreaterThan" => Some(Comparison::Greater),
        "GreaterThanOrEqualTo" => Some(Comparison::GreaterOrEqual),
        "LessThan" => Some(Comparison::Less),
        "LessThanOrEqualTo" => Some(Comparison::LessOrEqual),
        "Equals" | "NotEquals" => Some(Comparison::Equal),
        _ => None,
    };
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
