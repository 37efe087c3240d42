//! That SQLite takes the index meant for each search of traces.

use stele_domain::id::ExperimentId;
use stele_domain::search::{
    Comparison, Direction, Field, Filter, Order, Predicate, Query, SortPosition, SortValue, TraceField, TraceSearch,
    Window,
};

use super::everything;
use super::plans::explained;
use crate::engine::EngineKind;
use crate::search::run_candidate::required;
use crate::search::traces::{statement, terms};

fn search(filter: Filter) -> TraceSearch {
    let query = Query { filter, order_by: vec![], window: Window { offset: 0, limit: 100 } };
    TraceSearch { experiments: vec![ExperimentId(1)], query, after: None }
}

fn equal(field: Field) -> Filter {
    Filter::Test(field, Predicate::Text(Comparison::Equal, "x".to_owned()))
}

fn walked(search: &TraceSearch) -> String {
    statement(EngineKind::Sqlite, &everything(), search, &terms(search).unwrap(), None).unwrap().finish().0
}

fn from_few(search: &TraceSearch) -> String {
    let few = required(&search.query.filter)[0];
    statement(EngineKind::Sqlite, &everything(), search, &terms(search).unwrap(), Some(few)).unwrap().finish().0
}

#[test]
fn newest_first_and_from_where_a_page_ended() {
    let mut newest = search(Filter::All);
    insta::assert_snapshot!(explained(walked(&newest)), @"SEARCH trace USING INDEX trace_by_time (experiment_id=?)");
    newest.after = Some(SortPosition(vec![SortValue::Integer(5), SortValue::Text("tr-1".to_owned())]));
    insta::assert_snapshot!(explained(walked(&newest)), @"SEARCH trace USING INDEX trace_by_time (experiment_id=? AND requested_at<?)");
}

#[test]
fn tags_that_order_are_looked_up_by_trace() {
    let mut by_tag = search(Filter::All);
    by_tag.query.order_by = vec![Order { field: Field::Tag("t".to_owned()), direction: Direction::Ascending }];
    insta::assert_snapshot!(explained(walked(&by_tag)), @"
    SEARCH trace USING INDEX trace_by_time (experiment_id=?)
    SEARCH order_0 USING PRIMARY KEY (trace_id=? AND key=?) LEFT-JOIN
    USE TEMP B-TREE FOR ORDER BY
    ");
}

#[test]
fn conditions_on_spans_are_about_one_span() {
    let name = equal(Field::Trace(TraceField::SpanName));
    let kind = equal(Field::Trace(TraceField::SpanType));
    let both = search(Filter::And(vec![name, kind, equal(Field::Tag("t".to_owned()))]));
    insta::assert_snapshot!(explained(walked(&both)), @"
    SEARCH trace USING INDEX trace_by_time (experiment_id=?)
    CORRELATED SCALAR SUBQUERY 1
    SEARCH item USING PRIMARY KEY (trace_id=? AND key=?)
    CORRELATED SCALAR SUBQUERY 2
    SEARCH part USING INDEX sqlite_autoindex_span_1 (trace_id=?)
    ");
}

#[test]
fn what_few_traces_fulfil() {
    let fields = [
        Field::Tag("t".to_owned()),
        Field::Trace(TraceField::Metadata("m".to_owned())),
        Field::Trace(TraceField::SpanName),
        Field::Trace(TraceField::Session),
        Field::Trace(TraceField::Run),
        Field::Trace(TraceField::Prompt),
    ];
    let plans: Vec<String> = fields
        .into_iter()
        .map(|field| {
            explained(from_few(&search(equal(field))))
                .lines()
                .filter(|line| line.contains("INDEX"))
                .collect::<Vec<_>>()
                .join("\n")
        })
        .collect();
    insta::assert_snapshot!(plans.join("\n\n"), @"
    SEARCH trace_tag USING COVERING INDEX trace_tag_by_value (experiment_id=? AND key=? AND value=?)

    SEARCH trace_metadata USING COVERING INDEX trace_metadata_by_value (experiment_id=? AND key=? AND value=?)

    SEARCH span USING COVERING INDEX span_by_name (experiment_id=? AND name=?)
    SEARCH part USING INDEX sqlite_autoindex_span_1 (trace_id=?)

    SEARCH trace USING COVERING INDEX trace_by_session (experiment_id=? AND session=?)

    SEARCH trace USING COVERING INDEX trace_by_source_run (source_run=?)
    SEARCH trace_link USING COVERING INDEX trace_link_by_target (kind=? AND target=?)

    SEARCH trace_link USING COVERING INDEX trace_link_by_target (kind=? AND target=?)
    ");
}
