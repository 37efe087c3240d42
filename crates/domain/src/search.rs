//! The one search language of the record: every dialect parses its own filter syntax into these types, and
//! one builder in the store makes SQL from them.
//!
//! A predicate on a metric, param or tag that the thing does not have is false, also `!=` and `NOT IN`;
//! only `IsNull` and an enclosing `Not` select by absence. The logic is two-valued.

#[derive(Debug, Clone, PartialEq, Default)]
pub enum Filter {
    #[default]
    All,
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Test(Field, Predicate),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Attribute(Attribute),
    Metric(String),
    /// A logged model's metric as measured on one dataset, of any digest unless one is named.
    MetricOnDataset {
        key: String,
        dataset_name: String,
        dataset_digest: Option<String>,
    },
    Param(String),
    Tag(String),
    Dataset(DatasetField),
}

/// Attributes of experiments, runs, models, model versions and logged models; each search accepts its own subset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attribute {
    Id,
    Name,
    ExperimentId,
    Status,
    User,
    ArtifactUri,
    StartTime,
    EndTime,
    CreatedAt,
    UpdatedAt,
    VersionNumber,
    RunId,
    Source,
    Stage,
    ModelType,
    Description,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatasetField {
    Name,
    Digest,
    Context,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    Number(Comparison, f64),
    Text(Comparison, String),
    Like { pattern: String, ignore_case: bool },
    In(Vec<String>),
    NotIn(Vec<String>),
    IsNull,
    IsNotNull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub field: Field,
    pub direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    Ascending,
    Descending,
}
