//! The SQL of hot searches, and that SQLite takes the index meant for each.

use stele_domain::id::ExperimentId;
use stele_domain::search::{
    Attribute, Comparison, Direction, Field, Filter, Order, Predicate, Query, RunSearch, SortPosition, SortValue,
    Window,
};

use super::everything;
use super::record::stores;
use crate::engine::EngineKind;
use crate::search::builder::Sql;
use crate::search::run_candidate::required;
use crate::search::run_plan;
use crate::search::run_set::Set;
use crate::search::run_statement::{self, Output, Source, parts, walk};

fn search(filter: Filter, order_by: Vec<Order>) -> RunSearch {
    let query = Query { filter, order_by, window: Window { offset: 0, limit: 100 } };
    RunSearch { experiments: vec![ExperimentId(1)].into(), query, ..RunSearch::default() }
}

fn by(field: Field, direction: Direction) -> Vec<Order> {
    vec![Order { field, direction }]
}

fn metric(key: &str) -> Field {
    Field::Metric(key.to_owned())
}

fn above(key: &str, number: f64) -> Filter {
    Filter::Test(metric(key), Predicate::Number(Comparison::Greater, number))
}

fn param_is(key: &str, value: &str) -> Filter {
    Filter::Test(Field::Param(key.to_owned()), Predicate::Text(Comparison::Equal, value.to_owned()))
}

/// The statements of a walk through all parts, one a line.
fn walked(engine: EngineKind, search: &RunSearch) -> Vec<String> {
    walked_among(engine, search, None)
}

fn walked_among<'s>(engine: EngineKind, search: &'s RunSearch, among: Option<&Set<'s>>) -> Vec<String> {
    let walk = walk(search).unwrap();
    let statement = |part| {
        let output = Output::Rows(search.query.window);
        run_statement::statement(Sql::new(engine), &everything(), search, Source::Walk(walk, part, among), output)
            .unwrap()
            .finish()
            .0
    };
    let position = search.after.as_ref().map(|SortPosition(values)| &values[..]);
    parts(search, walk, position).into_iter().map(statement).collect()
}

fn from_candidate(engine: EngineKind, search: &RunSearch) -> String {
    let set = Set::Of(required(&search.query.filter)[0]);
    let source = Source::Candidate(&set);
    let output = Output::Rows(search.query.window);
    run_statement::statement(Sql::new(engine), &everything(), search, source, output).unwrap().finish().0
}

/// How SQLite would run a statement, without the columns of automatic names.
pub(super) fn explained(sql: String) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_, store, _folder) = stores().remove(0);
    let explain = move |tx: &mut crate::Tx| {
        let binds = vec![crate::engine::Value::Null; 64];
        tx.query(&format!("EXPLAIN QUERY PLAN {sql}"), &binds, |row| row.text(3))
    };
    runtime.block_on(store.read(explain)).unwrap().join("\n")
}

fn columns_cut(sql: &str) -> String {
    sql.replace(crate::run::RUN_COLUMNS, "..")
}

#[test]
fn newest_first() {
    let search = search(Filter::All, vec![]);
    let statements = walked(EngineKind::Sqlite, &search);
    assert_eq!(statements.len(), 1);
    insta::assert_snapshot!(columns_cut(&statements[0]), @"SELECT .. FROM run WHERE run.workspace_id = $1 AND run.experiment_id = $2 AND presence = 'active' AND TRUE ORDER BY run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $3");
    insta::assert_snapshot!(explained(statements[0].clone()), @"SEARCH run USING INDEX run_by_start (experiment_id=? AND presence=?)");
}

#[test]
fn by_a_metric_in_a_range_of_it() {
    let search = search(above("loss", 0.5), by(metric("loss"), Direction::Ascending));
    let statements = walked(EngineKind::Sqlite, &search);
    assert_eq!(statements.len(), 1, "neither NaN nor absence is above a number");
    insta::assert_snapshot!(columns_cut(&statements[0]), @"SELECT .. FROM series AS order_0 CROSS JOIN run WHERE order_0.experiment_id = $1 AND order_0.key = $2 AND order_0.is_nan = 0 AND order_0.value > $3 AND run.id = order_0.run_id AND run.workspace_id = $4 AND run.experiment_id = $5 AND presence = 'active' AND (SELECT TRUE FROM series AS item WHERE item.run_id = run.id AND item.key = $6 AND item.is_nan = 0 AND item.value > $7 LIMIT 1) IS TRUE ORDER BY order_0.value ASC, run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $8");
    insta::assert_snapshot!(explained(statements[0].clone()), @"
    SEARCH order_0 USING COVERING INDEX series_by_value (experiment_id=? AND key=? AND is_nan=? AND value>?)
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    CORRELATED SCALAR SUBQUERY 1
    SEARCH item USING INDEX sqlite_autoindex_series_1 (run_id=? AND key=?)
    USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY
    ");
}

#[test]
fn by_a_metric_with_a_filter_on_others() {
    let filter = Filter::And(vec![above("loss", 0.5), param_is("lr", "0.1")]);
    let search = search(filter, by(metric("accuracy"), Direction::Descending));
    let statements = walked(EngineKind::Sqlite, &search);
    assert_eq!(statements.len(), 3, "with a value, NaN, without");
    insta::assert_snapshot!(columns_cut(&statements[0]), @"SELECT .. FROM series AS order_0 CROSS JOIN run WHERE order_0.experiment_id = $1 AND order_0.key = $2 AND order_0.is_nan = 0 AND run.id = order_0.run_id AND run.workspace_id = $3 AND run.experiment_id = $4 AND presence = 'active' AND ((SELECT TRUE FROM series AS item WHERE item.run_id = run.id AND item.key = $5 AND item.is_nan = 0 AND item.value > $6 LIMIT 1) IS TRUE AND (SELECT TRUE FROM run_param AS item WHERE item.run_id = run.id AND item.key = $7 AND item.value = $8 LIMIT 1) IS TRUE) ORDER BY order_0.value DESC, run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $9");
    insta::assert_snapshot!(explained(statements[0].clone()), @"
    SEARCH order_0 USING COVERING INDEX series_by_value (experiment_id=? AND key=? AND is_nan=?)
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    CORRELATED SCALAR SUBQUERY 1
    SEARCH item USING INDEX sqlite_autoindex_series_1 (run_id=? AND key=?)
    CORRELATED SCALAR SUBQUERY 2
    SEARCH item USING PRIMARY KEY (run_id=? AND key=?)
    USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY
    ");
    insta::assert_snapshot!(columns_cut(&statements[2]), @"SELECT .. FROM run WHERE (SELECT TRUE FROM series AS item WHERE item.run_id = run.id AND item.key = $1 LIMIT 1) IS NOT TRUE AND run.workspace_id = $2 AND run.experiment_id = $3 AND presence = 'active' AND ((SELECT TRUE FROM series AS item WHERE item.run_id = run.id AND item.key = $4 AND item.is_nan = 0 AND item.value > $5 LIMIT 1) IS TRUE AND (SELECT TRUE FROM run_param AS item WHERE item.run_id = run.id AND item.key = $6 AND item.value = $7 LIMIT 1) IS TRUE) ORDER BY run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $8");
    insta::assert_snapshot!(explained(statements[2].clone()), @"
    SEARCH run USING INDEX run_by_start (experiment_id=? AND presence=?)
    CORRELATED SCALAR SUBQUERY 1
    SEARCH item USING COVERING INDEX sqlite_autoindex_series_1 (run_id=? AND key=?)
    CORRELATED SCALAR SUBQUERY 2
    SEARCH item USING INDEX sqlite_autoindex_series_1 (run_id=? AND key=?)
    CORRELATED SCALAR SUBQUERY 3
    SEARCH item USING PRIMARY KEY (run_id=? AND key=?)
    ");
}

#[test]
fn by_a_metric_among_runs_with_a_tag() {
    let tag = Filter::Test(Field::Tag("model".to_owned()), Predicate::Text(Comparison::Equal, "resnet".to_owned()));
    let search = search(tag, by(metric("accuracy"), Direction::Descending));
    let among = Set::Of(required(&search.query.filter)[0]);
    let statements = walked_among(EngineKind::Sqlite, &search, Some(&among));
    insta::assert_snapshot!(columns_cut(&statements[0]), @"SELECT .. FROM series AS order_0 CROSS JOIN run WHERE order_0.experiment_id = $1 AND order_0.key = $2 AND order_0.is_nan = 0 AND (order_0.run_id IN (SELECT run_id FROM run_tag WHERE experiment_id = $3 AND key = $4 AND value = $5)) IS TRUE AND run.id = order_0.run_id AND run.workspace_id = $6 AND run.experiment_id = $7 AND presence = 'active' AND TRUE ORDER BY order_0.value DESC, run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $8");
    insta::assert_snapshot!(explained(statements[0].clone()), @"
    SEARCH order_0 USING COVERING INDEX series_by_value (experiment_id=? AND key=? AND is_nan=?)
    LIST SUBQUERY 1
    SEARCH run_tag USING COVERING INDEX run_tag_by_value (experiment_id=? AND key=? AND value=?)
    CREATE BLOOM FILTER
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY
    ");
    insta::assert_snapshot!(explained(statements[2].clone()), @"
    SEARCH run USING INDEX run_by_start (experiment_id=? AND presence=?)
    LIST SUBQUERY 2
    SEARCH run_tag USING COVERING INDEX run_tag_by_value (experiment_id=? AND key=? AND value=?)
    CREATE BLOOM FILTER
    CORRELATED SCALAR SUBQUERY 1
    SEARCH item USING COVERING INDEX sqlite_autoindex_series_1 (run_id=? AND key=?)
    ");
}

#[test]
fn newest_first_among_runs_with_a_param() {
    let search = search(param_is("lr", "0.1"), vec![]);
    let among = Set::Of(required(&search.query.filter)[0]);
    let statements = walked_among(EngineKind::Sqlite, &search, Some(&among));
    insta::assert_snapshot!(columns_cut(&statements[0]), @"SELECT .. FROM run WHERE (run.id IN (SELECT run_id FROM run_param WHERE experiment_id = $1 AND key = $2 AND value = $3)) IS TRUE AND run.workspace_id = $4 AND run.experiment_id = $5 AND presence = 'active' AND TRUE ORDER BY run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $6");
    insta::assert_snapshot!(explained(statements[0].clone()), @"
    SEARCH run USING INDEX run_by_start (experiment_id=? AND presence=?)
    LIST SUBQUERY 1
    SEARCH run_param USING COVERING INDEX run_param_by_value (experiment_id=? AND key=? AND value=?)
    CREATE BLOOM FILTER
    ");
}

#[test]
fn by_name() {
    let name = Field::Attribute(Attribute::Name);
    let is = Filter::Test(name.clone(), Predicate::Text(Comparison::Equal, "first".to_owned()));
    let filtered = search(is, vec![]);
    insta::assert_snapshot!(explained(from_candidate(EngineKind::Sqlite, &filtered)), @"
    MATERIALIZE candidate
    SEARCH run USING COVERING INDEX run_by_name (experiment_id=? AND presence=? AND name=?)
    SCAN candidate
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    USE TEMP B-TREE FOR ORDER BY
    ");
    let sorted = search(Filter::All, by(name, Direction::Ascending));
    insta::assert_snapshot!(explained(walked(EngineKind::Sqlite, &sorted)[0].clone()), @"
    SEARCH run USING INDEX run_by_name (experiment_id=? AND presence=? AND name>?)
    USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY
    ");
}

#[test]
fn from_a_param_that_few_runs_have() {
    let filter = Filter::And(vec![param_is("lr", "0.1"), above("loss", 0.5)]);
    let search = search(filter, by(metric("accuracy"), Direction::Descending));
    let sql = from_candidate(EngineKind::Sqlite, &search);
    insta::assert_snapshot!(columns_cut(&sql), @"WITH candidate AS MATERIALIZED (SELECT run_id FROM run_param WHERE experiment_id = $1 AND key = $2 AND value = $3) SELECT .. FROM candidate CROSS JOIN run LEFT JOIN series AS order_0 ON order_0.run_id = run.id AND order_0.key = $4 WHERE run.id = candidate.run_id AND run.workspace_id = $5 AND run.experiment_id = $6 AND presence = 'active' AND (TRUE AND (SELECT TRUE FROM series AS item WHERE item.run_id = run.id AND item.key = $7 AND item.is_nan = 0 AND item.value > $8 LIMIT 1) IS TRUE) ORDER BY order_0.is_nan ASC NULLS LAST, order_0.value DESC NULLS LAST, run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $9");
    insta::assert_snapshot!(explained(sql), @"
    MATERIALIZE candidate
    SEARCH run_param USING COVERING INDEX run_param_by_value (experiment_id=? AND key=? AND value=?)
    SCAN candidate
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    CORRELATED SCALAR SUBQUERY 2
    SEARCH item USING INDEX sqlite_autoindex_series_1 (run_id=? AND key=?)
    SEARCH order_0 USING INDEX sqlite_autoindex_series_1 (run_id=? AND key=?) LEFT-JOIN
    USE TEMP B-TREE FOR ORDER BY
    ");
}

#[test]
fn from_a_metric_range_that_few_runs_are_in() {
    let search = search(above("loss", 0.5), vec![]);
    insta::assert_snapshot!(explained(from_candidate(EngineKind::Sqlite, &search)), @"
    MATERIALIZE candidate
    SEARCH series USING COVERING INDEX series_by_value (experiment_id=? AND key=? AND is_nan=? AND value>?)
    SCAN candidate
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    USE TEMP B-TREE FOR ORDER BY
    ");
}

#[test]
fn from_several_sets_that_say_all() {
    let filter = Filter::And(vec![param_is("lr", "0.1"), above("loss", 0.5)]);
    let search = search(filter, by(metric("accuracy"), Direction::Descending));
    let set = Set::Both { tests: required(&search.query.filter), runs: vec![1, 2] };
    let output = Output::Rows(search.query.window);
    let source = Source::Candidate(&set);
    let statement = run_statement::statement(Sql::new(EngineKind::Sqlite), &everything(), &search, source, output);
    let sql = statement.unwrap().finish().0;
    insta::assert_snapshot!(columns_cut(&sql), @"SELECT .. FROM run LEFT JOIN series AS order_0 ON order_0.run_id = run.id AND order_0.key = $1 WHERE run.id IN (SELECT value FROM json_each($2)) AND run.workspace_id = $3 AND (run.experiment_id = $4 AND presence = 'active') IS TRUE AND TRUE ORDER BY order_0.is_nan ASC NULLS LAST, order_0.value DESC NULLS LAST, run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $5");
    insta::assert_snapshot!(explained(sql), @"
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    LIST SUBQUERY 1
    SCAN json_each VIRTUAL TABLE INDEX 1:
    SEARCH order_0 USING INDEX sqlite_autoindex_series_1 (run_id=? AND key=?) LEFT-JOIN
    USE TEMP B-TREE FOR ORDER BY
    ");
    let walked = walked_among(EngineKind::Sqlite, &search, Some(&set)).remove(0);
    insta::assert_snapshot!(explained(walked), @"
    SEARCH order_0 USING COVERING INDEX series_by_value (experiment_id=? AND key=? AND is_nan=?)
    LIST SUBQUERY 1
    SCAN json_each VIRTUAL TABLE INDEX 1:
    CREATE BLOOM FILTER
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY
    ");
}

#[test]
fn from_tags_that_begin_alike() {
    let like = Predicate::Like { pattern: "res%".to_owned(), ignore_case: false };
    let search = search(Filter::Test(Field::Tag("model".to_owned()), like), vec![]);
    let sql = from_candidate(EngineKind::Postgres, &search);
    insta::assert_snapshot!(columns_cut(&sql), @"WITH candidate AS MATERIALIZED (SELECT run_id FROM run_tag WHERE experiment_id = $1 AND key = $2 AND substr(value, 1, 100) >= $3 AND substr(value, 1, 100) < $4) SELECT .. FROM candidate CROSS JOIN run WHERE run.id = candidate.run_id AND run.workspace_id = $5 AND run.experiment_id = $6 AND presence = 'active' AND (SELECT TRUE FROM run_tag AS item WHERE item.run_id = run.id AND item.key = $7 AND item.value LIKE $8 ESCAPE '' LIMIT 1) IS TRUE ORDER BY run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $9");
    insta::assert_snapshot!(explained(from_candidate(EngineKind::Sqlite, &search)), @"
    MATERIALIZE candidate
    SEARCH run_tag USING COVERING INDEX run_tag_by_value (experiment_id=? AND key=? AND value>? AND value<?)
    SCAN candidate
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    CORRELATED SCALAR SUBQUERY 2
    SEARCH item USING PRIMARY KEY (run_id=? AND key=?)
    USE TEMP B-TREE FOR ORDER BY
    ");
}

#[test]
fn by_a_param() {
    let search = search(Filter::All, by(Field::Param("lr".to_owned()), Direction::Ascending));
    let statements = walked(EngineKind::Sqlite, &search);
    insta::assert_snapshot!(explained(statements[0].clone()), @"
    SEARCH order_0 USING COVERING INDEX run_param_by_value (experiment_id=? AND key=?)
    SEARCH run USING INTEGER PRIMARY KEY (rowid=?)
    USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY
    ");
}

#[test]
fn logic_and_absence() {
    let filter = Filter::Or(vec![
        Filter::Not(Box::new(Filter::Test(
            Field::Attribute(Attribute::StartTime),
            Predicate::Number(Comparison::Greater, 2.5),
        ))),
        Filter::Test(Field::Tag("t".to_owned()), Predicate::IsNull),
        Filter::Test(metric("m"), Predicate::Number(Comparison::NotEqual, 1.0)),
        Filter::Test(
            Field::Attribute(Attribute::Name),
            Predicate::Like { pattern: "A%".to_owned(), ignore_case: true },
        ),
    ]);
    let statements = walked(EngineKind::Postgres, &search(filter, vec![]));
    insta::assert_snapshot!(columns_cut(&statements[0]), @"SELECT .. FROM run WHERE run.workspace_id = $1 AND run.experiment_id = $2 AND presence = 'active' AND (NOT ((run.started_at IS NOT NULL AND run.started_at > $3)) OR (SELECT TRUE FROM run_tag AS item WHERE item.run_id = run.id AND item.key = $4 LIMIT 1) IS NOT TRUE OR (SELECT TRUE FROM series AS item WHERE item.run_id = run.id AND item.key = $5 AND (item.is_nan = 1 OR item.value <> $6) LIMIT 1) IS TRUE OR lower(run.name) LIKE $7 ESCAPE '') ORDER BY run.started_at DESC NULLS LAST, run.public_id ASC LIMIT $8");
}

/// That SQLite reads rows through this index, from these columns of it on, and need not sort them all.
fn assert_walks(sql: String, index: &str) {
    let plan = explained(sql.clone());
    assert!(plan.lines().next().is_some_and(|first| first.contains(index)), "{plan}\n{sql}");
    assert!(!plan.contains("USE TEMP B-TREE FOR ORDER BY"), "{plan}\n{sql}");
}

#[test]
fn on_from_the_end_of_a_page() {
    let id = || SortValue::Text("id".to_owned());
    let by_metric = RunSearch {
        after: Some(SortPosition(vec![SortValue::Integer(0), SortValue::Real(0.75), SortValue::Integer(5), id()])),
        ..search(above("loss", 0.5), by(metric("accuracy"), Direction::Descending))
    };
    let statements = walked(EngineKind::Sqlite, &by_metric);
    assert_eq!(statements.len(), 3, "the rest of those with a value, NaN, without");
    assert_walks(statements[0].clone(), "series_by_value (experiment_id=? AND key=? AND is_nan=? AND value<?)");
    assert!(!statements[1].contains("order_0.value <"), "{}", statements[1]);

    let newest =
        RunSearch { after: Some(SortPosition(vec![SortValue::Integer(5), id()])), ..search(Filter::All, vec![]) };
    let statements = walked(EngineKind::Sqlite, &newest);
    assert_eq!(statements.len(), 2);
    let index = "run_by_start (experiment_id=? AND presence=? AND started_at>? AND started_at<?)";
    assert_walks(statements[0].clone(), index);

    let without_start =
        RunSearch { after: Some(SortPosition(vec![SortValue::Absent, id()])), ..search(Filter::All, vec![]) };
    let statements = walked(EngineKind::Sqlite, &without_start);
    assert_eq!(statements.len(), 1, "those with a start came before");
    assert_walks(statements[0].clone(), "run_by_start (experiment_id=? AND presence=? AND started_at=?");
}

#[test]
fn by_status_and_end_and_among_one_status() {
    let by_status = search(Filter::All, by(Field::Attribute(Attribute::Status), Direction::Descending));
    let statements = walked(EngineKind::Sqlite, &by_status);
    assert_eq!(statements.len(), 5, "a rank after the other");
    for statement in statements {
        assert_walks(statement, "run_by_status (experiment_id=? AND presence=? AND <expr>=?)");
    }
    for direction in [Direction::Ascending, Direction::Descending] {
        let by_end = search(Filter::All, by(Field::Attribute(Attribute::EndTime), direction));
        let statements = walked(EngineKind::Sqlite, &by_end);
        assert_walks(statements[0].clone(), "run_by_end (experiment_id=? AND presence=? AND ended_at>?)");
    }
    let finished = Predicate::In(vec!["completed".to_owned(), "cached".to_owned()]);
    let newest = search(Filter::Test(Field::Attribute(Attribute::Status), finished), vec![]);
    assert_walks(
        walked(EngineKind::Sqlite, &newest).remove(0),
        "run_by_status (experiment_id=? AND presence=? AND <expr>=?)",
    );
    // Another index would have them in another order.
    let user = Filter::Test(Field::Attribute(Attribute::User), Predicate::Text(Comparison::Equal, "u".to_owned()));
    let ended = Filter::Test(Field::Attribute(Attribute::EndTime), Predicate::Number(Comparison::Greater, 5.0));
    for filter in [user, ended] {
        let newest = search(filter, vec![]);
        assert_walks(walked(EngineKind::Sqlite, &newest).remove(0), "run_by_start (experiment_id=? AND presence=?)");
    }
}

#[test]
fn a_sample_is_looked_up_by_row_id() {
    let search = search(above("loss", 0.5), vec![]);
    let (sql, values) = run_plan::sample(
        Sql::new(EngineKind::Sqlite),
        &everything(),
        &search,
        &required(&search.query.filter),
        1_000_000,
    )
    .unwrap()
    .finish();
    assert!(explained(sql).starts_with("SEARCH run USING INTEGER PRIMARY KEY (rowid=?)"));
    let ids = values.iter().find_map(|value| match value {
        crate::engine::Value::Text(ids) if ids.starts_with('[') => serde_json::from_str::<Vec<i64>>(ids).ok(),
        _ => None,
    });
    let ids = ids.unwrap();
    assert!(ids.iter().all(|id| (1..=1_000_000).contains(id)));
    let in_step = ids.iter().filter(|id| *id % 10 == 0).count();
    assert!((10..=30).contains(&in_step), "{in_step} of {} are multiples of ten", ids.len());
}
