use std::collections::HashMap;

use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::TraceRow;
use stele_domain::search::{
    Attribute, Comparison, Direction, Field, Filter, Page, Predicate, SortPosition, SortValue, TraceField, TraceSearch,
};
use stele_domain::trace::{AssessmentKind, TraceInfo};

use super::builder::Sql;
use super::predicate::{self, ANY, Attributed, Column, IS_NONE, IS_SOME, KeyedTable};
use super::run_candidate::Required;
use super::sort::{self, Kind, Term};
use super::{no_attribute, no_field, trace_candidate};
use crate::Tx;
use crate::engine::{EngineKind, list, params};
use crate::trace::{COLUMNS, trace};

const TAGS: KeyedTable = KeyedTable { name: "trace_tag", owner: "trace_id", is: "trace.id" };
const METADATA: KeyedTable = KeyedTable { name: "trace_metadata", owner: "trace_id", is: "trace.id" };
const END: &str = "(trace.requested_at + COALESCE(trace.duration, 0))";

impl Tx<'_> {
    /// A page of traces, in a number of statements that does not depend on what is found.
    pub fn traces_search(&mut self, visible: &Visibility, search: &TraceSearch) -> Result<Page<TraceInfo>> {
        super::check_bounds(&search.query)?;
        let search = &TraceSearch { experiments: visible.among(&search.experiments), ..search.clone() };
        if search.experiments.is_empty() {
            return Ok(Page::empty());
        }
        let terms = terms(search)?;
        let few = trace_candidate::few(self, search)?;
        let (sql, values) = statement(self.engine(), visible, search, &terms, few)?.finish();
        let mut ends: HashMap<TraceRow, SortPosition> = HashMap::new();
        let rows = self.query(&sql, &values, |row| {
            let trace = TraceRow(row.int(0)?);
            let at = terms.iter().enumerate().map(|(column, term)| term.read(row, column + 1));
            ends.insert(trace, SortPosition(at.collect::<Result<Vec<_>>>()?));
            Ok(trace)
        })?;
        let page = Page::of(rows, search.query.window);
        let end = page.items.last().filter(|_| page.more).and_then(|last| ends.remove(last));
        let mut page = page.try_map(|rows| self.traces_by_rows(&rows))?;
        page.end = end;
        Ok(page)
    }

    /// How many traces fulfil all of these filters at once.
    pub fn traces_count(&mut self, visible: &Visibility, search: &TraceSearch) -> Result<i64> {
        super::check_bounds(&search.query)?;
        let search = &TraceSearch { experiments: visible.among(&search.experiments), ..search.clone() };
        if search.experiments.is_empty() {
            return Ok(0);
        }
        let few = trace_candidate::few(self, search)?;
        let mut sql = Sql::new(self.engine());
        sql.push("SELECT COUNT(*) FROM ");
        from_and_where(&mut sql, visible, search, few)?;
        let (sql, values) = sql.finish();
        self.query_one(&sql, &values, |row| row.int(0))
    }

    fn traces_by_rows(&mut self, rows: &[TraceRow]) -> Result<Vec<TraceInfo>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM trace JOIN experiment ON experiment.id = trace.experiment_id WHERE trace.id {}",
            self.is_one_of_ints(1)
        );
        let found = self.query(&sql, params![list(rows.iter().map(|row| row.0))], trace)?;
        let mut found: HashMap<TraceRow, TraceInfo> = found.into_iter().map(|trace| (trace.row, trace)).collect();
        self.traces_complete(rows.iter().filter_map(|row| found.remove(row)).collect())
    }
}

pub(super) fn statement<'v>(
    engine: EngineKind,
    visible: &Visibility,
    search: &'v TraceSearch,
    terms: &[Term],
    few: Option<Required<'v>>,
) -> Result<Sql<'v>> {
    let mut sql = Sql::new(engine);
    sql.push("SELECT trace.id");
    for term in terms {
        sql.push(", ");
        sort::value(&mut sql, term);
    }
    sql.push(" FROM ");
    from_and_where(&mut sql, visible, search, few)?;
    let after: Option<&[SortValue]> = sort::position(search.after.as_ref(), terms);
    if let Some(after) = after {
        sql.push(" AND ");
        sort::not_before(&mut sql, terms, after);
        sort::after(&mut sql, terms, after);
    }
    sql.push(" ORDER BY ");
    for (index, term) in terms.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " });
        sort::order(&mut sql, term);
    }
    let mut window = search.query.window;
    if after.is_some() {
        window.offset = 0;
    }
    sql.window(window);
    Ok(sql)
}

fn from_and_where<'v>(
    sql: &mut Sql<'v>,
    visible: &Visibility,
    search: &'v TraceSearch,
    few: Option<Required<'v>>,
) -> Result<()> {
    if let Some(few) = few {
        sql.push("(SELECT DISTINCT trace_id FROM (");
        trace_candidate::select(few, sql, search)?;
        sql.push(") AS any_few) AS few CROSS JOIN trace");
        order_joins(sql, search);
        sql.push(" WHERE trace.id = few.trace_id AND ");
        // As sums, which no index has: PostgreSQL would rather walk the whole experiment for each of the few, as long as
        // it does not know how large that is.
        sql.push("(trace.workspace_id + 0) = ").bind(visible.workspace()).push(" AND ");
        in_experiments(sql, "(trace.experiment_id + 0)", search);
    } else {
        sql.push("trace");
        order_joins(sql, search);
        // As a sum, which no index has, so that no order walks the whole workspace for one experiment.
        sql.push(" WHERE (trace.workspace_id + 0) = ").bind(visible.workspace()).push(" AND ");
        in_experiments(sql, "trace.experiment_id", search);
    }
    sql.push(" AND ");
    filter(sql, &search.query.filter)
}

/// Joins what orders by tags and metadata need.
fn order_joins<'v>(sql: &mut Sql<'v>, search: &'v TraceSearch) {
    for (index, order) in search.query.order_by.iter().enumerate() {
        let (table, key) = match &order.field {
            Field::Tag(key) => (TAGS, key),
            Field::Trace(TraceField::Metadata(key)) => (METADATA, key),
            _ => continue,
        };
        sql.push(" LEFT JOIN ").push(table.name).push(" AS ").alias(index).push(" ON ").alias(index);
        sql.push(".trace_id = trace.id AND ").alias(index).push(".key = ").bind(key);
    }
}

/// One experiment is compared with, so that an index gives the traces in order.
pub(super) fn in_experiments<'v>(sql: &mut Sql<'v>, column: &'static str, search: &'v TraceSearch) {
    sql.push(column);
    match search.experiments.as_slice() {
        [one] => sql.push(" = ").bind(one.0),
        many => sql.push(" ").is_one_of_ints(many.iter().map(|experiment| experiment.0)),
    };
}

/// The terms that make the order of a search total.
pub(super) fn terms(search: &TraceSearch) -> Result<Vec<Term>> {
    let mut terms = Vec::new();
    for (index, order) in search.query.order_by.iter().enumerate() {
        let direction = order.direction;
        terms.push(match &order.field {
            Field::Attribute(Attribute::StartTime) => sort::plain("trace.requested_at", Kind::Integer, direction),
            Field::Attribute(Attribute::EndTime) => sort::plain(END, Kind::Integer, direction),
            Field::Attribute(Attribute::Id) => sort::plain("trace.public_id", Kind::Text, direction),
            Field::Attribute(Attribute::ExperimentId) => sort::plain("trace.experiment_id", Kind::Integer, direction),
            Field::Attribute(Attribute::Status) => sort::plain("trace.state", Kind::Text, direction),
            Field::Attribute(Attribute::Name) => sort::plain("trace.name", Kind::Text, direction).optional(),
            Field::Trace(TraceField::Duration) => sort::plain("trace.duration", Kind::Integer, direction).optional(),
            Field::Trace(TraceField::Run) => sort::plain("trace.source_run", Kind::Text, direction).optional(),
            Field::Trace(TraceField::Session) => sort::plain("trace.session", Kind::Text, direction).optional(),
            Field::Trace(TraceField::ClientRequestId) => {
                sort::plain("trace.client_request_id", Kind::Text, direction).optional()
            }
            Field::Tag(_) | Field::Trace(TraceField::Metadata(_)) => {
                sort::joined(index, ".value", Kind::Text, direction)
            }
            other => return Err(no_field("traces", other)),
        });
    }
    if !super::is_by(&search.query, Attribute::StartTime) {
        terms.push(sort::plain("trace.requested_at", Kind::Integer, Direction::Descending));
    }
    if !super::is_by(&search.query, Attribute::Id) {
        terms.push(sort::plain("trace.public_id", Kind::Text, Direction::Ascending));
    }
    Ok(terms)
}

/// Writes a filter. What one `And` says of spans is about one span.
pub(super) fn filter<'v>(sql: &mut Sql<'v>, filter: &'v Filter) -> Result<()> {
    match filter {
        Filter::All => sql.push("TRUE"),
        Filter::And(parts) => return conjunction(sql, parts),
        Filter::Or(parts) if parts.is_empty() => sql.push("FALSE"),
        Filter::Or(parts) => {
            sql.push("(");
            for (index, part) in parts.iter().enumerate() {
                sql.push(if index > 0 { " OR " } else { "" });
                self::filter(sql, part)?;
            }
            sql.push(")")
        }
        Filter::Not(part) => {
            sql.push("NOT (");
            self::filter(sql, part)?;
            sql.push(")")
        }
        Filter::Test(..) => return conjunction(sql, std::slice::from_ref(filter)),
    };
    Ok(())
}

fn conjunction<'v>(sql: &mut Sql<'v>, parts: &'v [Filter]) -> Result<()> {
    let (of_span, others): (Vec<&Filter>, Vec<&Filter>) = parts.iter().partition(|part| is_of_span(part));
    sql.push("(TRUE");
    for part in others {
        sql.push(" AND ");
        match part {
            Filter::Test(field, predicate) => test(sql, field, predicate)?,
            part => filter(sql, part)?,
        }
    }
    if !of_span.is_empty() {
        sql.push(" AND ").push(ANY).push("span AS part WHERE part.trace_id = trace.id");
        for part in of_span {
            if let Filter::Test(Field::Trace(field), predicate) = part {
                sql.push(" AND ");
                span_test(sql, field, predicate)?;
            }
        }
        sql.push(IS_SOME);
    }
    sql.push(")");
    Ok(())
}

fn is_of_span(filter: &Filter) -> bool {
    let Filter::Test(Field::Trace(field), _) = filter else { return false };
    matches!(
        field,
        TraceField::SpanName
            | TraceField::SpanType
            | TraceField::SpanStatus
            | TraceField::SpanAttribute(_)
            | TraceField::SpanContent
    )
}

fn span_test<'v>(sql: &mut Sql<'v>, field: &'v TraceField, predicate: &'v Predicate) -> Result<()> {
    let column = match field {
        TraceField::SpanName => "part.name",
        TraceField::SpanType => "part.type",
        TraceField::SpanStatus => "part.status",
        TraceField::SpanAttribute(path) => return predicate::document(sql, "part.searched", path, predicate),
        _ => "part.searched",
    };
    predicate::text(sql, Column::required(column), predicate)
}

fn test<'v>(sql: &mut Sql<'v>, field: &'v Field, predicate: &'v Predicate) -> Result<()> {
    match field {
        Field::Attribute(attribute) => column(*attribute)?.test(sql, predicate),
        Field::Tag(key) => predicate::keyed_text(sql, TAGS, key, predicate),
        Field::Trace(field) => trace_test(sql, field, predicate),
        Field::Metric(_) | Field::MetricOnDataset { .. } | Field::Param(_) | Field::Dataset(_) | Field::Document(_) => {
            Err(no_field("traces", field))
        }
    }
}

fn trace_test<'v>(sql: &mut Sql<'v>, field: &'v TraceField, predicate: &'v Predicate) -> Result<()> {
    match field {
        TraceField::Metadata(key) => predicate::keyed_text(sql, METADATA, key, predicate),
        TraceField::ClientRequestId => predicate::text(sql, Column::optional("trace.client_request_id"), predicate),
        TraceField::Session => predicate::text(sql, Column::optional("trace.session"), predicate),
        TraceField::Duration => predicate::integer(sql, Column::optional("trace.duration"), predicate),
        TraceField::Run => match predicate {
            Predicate::Text(Comparison::Equal, run) => {
                sql.push("(COALESCE(trace.source_run, '') = ").bind(run).push(" OR ");
                linked(sql, "run", predicate)?;
                sql.push(")");
                Ok(())
            }
            predicate => predicate::text(sql, Column::optional("trace.source_run"), predicate),
        },
        TraceField::Prompt => linked(sql, "prompt", predicate),
        TraceField::Issue => {
            sql.push(ANY).push("assessment AS part WHERE part.trace_id = trace.id AND part.kind = 'issue' AND ");
            predicate::text(sql, Column::required("part.name"), predicate)?;
            sql.push(IS_SOME);
            Ok(())
        }
        TraceField::Assessment(kind, name) => assessed(sql, *kind, name, predicate),
        TraceField::SpanName
        | TraceField::SpanType
        | TraceField::SpanStatus
        | TraceField::SpanAttribute(_)
        | TraceField::SpanContent => span_test(sql, field, predicate),
    }
}

fn linked<'v>(sql: &mut Sql<'v>, kind: &'static str, predicate: &'v Predicate) -> Result<()> {
    sql.push(ANY).push("trace_link AS part WHERE part.trace_id = trace.id AND part.kind = ").bind(kind).push(" AND ");
    predicate::text(sql, Column::required("part.target"), predicate)?;
    sql.push(IS_SOME);
    Ok(())
}

/// Whether an assessment of the trace, or one of its whole session, fulfils the predicate.
fn assessed<'v>(sql: &mut Sql<'v>, kind: AssessmentKind, name: &'v str, predicate: &'v Predicate) -> Result<()> {
    let absent = *predicate == Predicate::IsNull;
    sql.push("(").push(ANY).push("assessment AS part WHERE part.trace_id = trace.id AND ");
    assessment_test(sql, kind, name, predicate)?;
    sql.push(if absent { IS_NONE } else { IS_SOME });
    sql.push(if absent { " AND " } else { " OR " });
    sql.push(ANY).push("trace AS sibling JOIN assessment AS part ON part.trace_id = sibling.id");
    sql.push(" WHERE sibling.experiment_id = trace.experiment_id AND sibling.session = trace.session");
    sql.push(" AND part.of_session = 1 AND ");
    assessment_test(sql, kind, name, predicate)?;
    sql.push(if absent { IS_NONE } else { IS_SOME }).push(")");
    Ok(())
}

fn assessment_test<'v>(sql: &mut Sql<'v>, kind: AssessmentKind, name: &'v str, predicate: &'v Predicate) -> Result<()> {
    sql.push("part.kind = ").bind(kind.as_str()).push(" AND part.name = ").bind(name).push(" AND part.valid = 1");
    match predicate {
        Predicate::IsNull | Predicate::IsNotNull => Ok(()),
        Predicate::Number(comparison, number) => {
            sql.push(" AND part.number IS NOT NULL AND part.number");
            sql.push(predicate::operator(*comparison)).bind(*number);
            Ok(())
        }
        Predicate::Text(comparison @ (Comparison::Equal | Comparison::NotEqual), text) => {
            // The text of a text, or that of a number, true or false.
            let quoted = serde_json::Value::from(text.as_str()).to_string();
            sql.push(if *comparison == Comparison::Equal { " AND (" } else { " AND NOT (" });
            sql.push("part.value = ").bind(text).push(" OR part.value = ").bind(quoted);
            if let Ok(number) = text.parse::<f64>()
                && number.is_finite()
            {
                sql.push(" OR COALESCE(part.number = ").bind(number).push(", FALSE)");
            }
            if let Ok(document @ (serde_json::Value::Array(_) | serde_json::Value::Object(_))) = text.parse() {
                sql.push(" OR part.value = ").bind(document.to_string());
            }
            sql.push(")");
            Ok(())
        }
        predicate => {
            sql.push(" AND ");
            predicate::text(sql, Column::required("part.value"), predicate)
        }
    }
}

fn column(attribute: Attribute) -> Result<Attributed> {
    Ok(match attribute {
        Attribute::Id => Attributed::Text(Column::required("trace.public_id")),
        Attribute::Name => Attributed::Text(Column::optional("trace.name")),
        Attribute::ExperimentId => Attributed::Integer(Column::required("trace.experiment_id")),
        Attribute::Status => Attributed::Text(Column::required("trace.state")),
        Attribute::StartTime => Attributed::Integer(Column::required("trace.requested_at")),
        Attribute::EndTime => Attributed::Integer(Column::required(END)),
        other => return Err(no_attribute("traces", other)),
    })
}
