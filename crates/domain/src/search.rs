//! The one search language of the record: every dialect parses its own filter syntax into these types, and
//! one builder in the store makes SQL from them.
//!
//! A predicate on a metric, param or tag that the thing does not have is false, also `!=` and `NOT IN`;
//! only `IsNull` and an enclosing `Not` select by absence. The logic is two-valued.

use crate::Result;
use crate::id::{ExperimentId, WorkspaceId};
use crate::lifecycle::Presence;
use crate::trace::AssessmentKind;

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
        dataset_name: Option<String>,
        dataset_digest: Option<String>,
    },
    Param(String),
    Tag(String),
    Dataset(DatasetField),
    /// A value inside the document that one script keeps with the thing.
    Document(DocumentPath),
    /// Something that only traces have.
    Trace(TraceField),
}

/// What a search of traces looks at besides attributes and tags. Predicates on spans that one `And` joins are about one
/// span.
#[derive(Debug, Clone, PartialEq)]
pub enum TraceField {
    Metadata(String),
    ClientRequestId,
    Session,
    /// The run that it came from, or with [`Comparison::Equal`] also one that it is linked to.
    Run,
    /// A version of a prompt that it is linked to, as `name/version`.
    Prompt,
    Duration,
    SpanName,
    SpanType,
    /// `OK`, `ERROR` or `UNSET`.
    SpanStatus,
    /// The text of an attribute of a span.
    SpanAttribute(DocumentPath),
    /// All texts of a span.
    SpanContent,
    /// The value of the assessments of a kind and name that no other corrects.
    Assessment(AssessmentKind, String),
    /// An issue that it is linked to, by id.
    Issue,
}

/// The names on the way into a document, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPath(pub Vec<String>);

/// Attributes of experiments, runs, models, model versions, logged models and evaluation datasets; each search accepts its own subset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attribute {
    Id,
    Name,
    ExperimentId,
    Status,
    /// Whether it is active or deleted.
    Presence,
    /// The name that a client gave a run uniquely, or else its id.
    Alias,
    /// The trials, by name, that a run is in.
    Trial,
    User,
    UpdatedBy,
    ArtifactUri,
    StartTime,
    EndTime,
    CreatedAt,
    UpdatedAt,
    VersionNumber,
    RunId,
    Source,
    Stage,
    Approval,
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
    Like {
        pattern: String,
        ignore_case: bool,
    },
    /// The text has a part that fits this regular expression, which has been read already.
    Matches(String),
    /// The text has this one inside, ASCII letters in any case.
    Contains(String),
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

/// What every search has: which things, in which order, which of them.
///
/// Things without the key of an order clause come last whatever its direction; NaN comes right before them. Each
/// search ends the order with tie-breakers of its own, so that it is total.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub filter: Filter,
    pub order_by: Vec<Order>,
    pub window: Window,
}

/// Which part of a sorted result is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub offset: i64,
    pub limit: i64,
}

impl Default for Window {
    fn default() -> Window {
        Window { offset: 0, limit: 1_000 }
    }
}

/// A part of a sorted result, and whether more comes after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub more: bool,
    /// Where its last item stands in the order, when there are more and the search can go on from there.
    pub end: Option<SortPosition>,
}

/// Where a thing stands in the order of a search: its value under each sort key and tie-breaker.
#[derive(Debug, Clone, PartialEq)]
pub struct SortPosition(pub Vec<SortValue>);

#[derive(Debug, Clone, PartialEq)]
pub enum SortValue {
    /// The thing lacks the key.
    Absent,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl<T> Page<T> {
    pub fn empty() -> Page<T> {
        Page { items: Vec::new(), more: false, end: None }
    }

    /// From one item more than the window's limit, if there is one.
    pub fn of(mut items: Vec<T>, window: Window) -> Page<T> {
        let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        Page { items, more, end: None }
    }

    pub fn try_map<U>(self, map: impl FnOnce(Vec<T>) -> Result<Vec<U>>) -> Result<Page<U>> {
        Ok(Page { items: map(self.items)?, more: self.more, end: self.end })
    }
}

/// Whether a search gives what is in use, what is in the trash, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Presences {
    #[default]
    Active,
    Deleted,
    All,
}

impl Presences {
    pub fn contains(self, presence: Presence) -> bool {
        match self {
            Presences::Active => presence == Presence::Active,
            Presences::Deleted => presence == Presence::Deleted,
            Presences::All => true,
        }
    }
}

/// Whose runs are searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Searched {
    /// Of these experiments, whether they are deleted or not.
    Among(Vec<ExperimentId>),
    /// Of all experiments of a workspace that are not deleted.
    Workspace(WorkspaceId),
}

impl Searched {
    /// The experiment, if it is one.
    pub fn only(&self) -> Option<ExperimentId> {
        match self {
            Searched::Among(experiments) => match experiments[..] {
                [experiment] => Some(experiment),
                _ => None,
            },
            Searched::Workspace(_) => None,
        }
    }
}

impl Default for Searched {
    fn default() -> Searched {
        Searched::Among(Vec::new())
    }
}

impl From<Vec<ExperimentId>> for Searched {
    fn from(experiments: Vec<ExperimentId>) -> Searched {
        Searched::Among(experiments)
    }
}

/// A search of the runs of some experiments; of none without experiments. Ties are broken by start, newest first,
/// then by id. Texts of [`Attribute::Status`] are those of [`RunStatus`](crate::lifecycle::RunStatus).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunSearch {
    pub experiments: Searched,
    pub presences: Presences,
    pub query: Query,
    /// The end of the page before, from a search that differs in its window alone. The page begins right after it and
    /// costs no more than a first one, whatever the offset, which is not looked at then.
    pub after: Option<SortPosition>,
}

/// A search of experiments, newest first unless ordered otherwise; ties are broken by id, greatest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExperimentSearch {
    pub presences: Presences,
    pub query: Query,
}

/// A search of the logged models of some experiments that are not deleted; of none without experiments. Ties are
/// broken by creation, newest first, then by id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoggedModelSearch {
    pub experiments: Vec<ExperimentId>,
    /// When there are any, only models with a metric on one of these datasets.
    pub measured_on: Vec<DatasetSelector>,
    pub query: Query,
}

/// A search of the resources of one kind; ties are broken by id, in the order in which they were made.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceSearch {
    pub kind: String,
    pub query: Query,
}

/// A search of evaluation datasets, newest first unless ordered otherwise; ties are broken by id, greatest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EvaluationDatasetSearch {
    /// When there are any, only datasets for one of these experiments.
    pub experiments: Vec<String>,
    pub query: Query,
}

/// A search of the traces of some experiments; of none without experiments. Ties are broken by the time of the request,
/// newest first, then by id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceSearch {
    pub experiments: Vec<ExperimentId>,
    pub query: Query,
    /// As in [`RunSearch`].
    pub after: Option<SortPosition>,
}

/// A dataset by name, of any digest unless one is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSelector {
    pub name: String,
    pub digest: Option<String>,
}
