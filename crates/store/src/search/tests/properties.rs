//! Every way to find a page of runs agrees with the naive search.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stele_domain::Result;
use stele_domain::id::{ExperimentId, WorkspaceId};
use stele_domain::record::RunInfo;
use stele_domain::search::{
    Attribute, Comparison, DatasetField, Direction, Field, Filter, Order, Page, Predicate, Presences, Query, RunSearch,
    Searched, SortPosition, SortValue, Window,
};

use super::record::{runs, stores, texts, write_runs};
use super::{everything, naive};
use crate::Tx;
use crate::search::run_candidate::{Required, required};
use crate::search::run_plan;
use crate::search::run_set::Set;
use crate::search::run_statement::{Source, Walk, walk};

#[test]
fn every_plan_agrees_with_the_naive_search() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let runs = runs();
    for (engine, store, _folder) in stores() {
        let written = runs.clone();
        runtime.block_on(store.write(move |tx| write_runs(tx, &written))).unwrap();
        let mut runner = TestRunner::new(ProptestConfig { cases: 1_500, ..ProptestConfig::default() });
        let outcome = runner.run(&any_search(), |search| {
            let (expected, more) = naive::search(&runs, &search);
            let asked = search.clone();
            let pages = runtime.block_on(store.read(move |tx| every_plan(tx, &asked))).unwrap();
            for (plan, page) in pages {
                let found: Vec<String> = page.items.into_iter().map(|info| info.id.0).collect();
                prop_assert_eq!(&found, &expected, "plan {}", plan);
                prop_assert_eq!(page.more, more, "plan {}", plan);
            }
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("on {engine}: {error}");
        }
    }
}

#[test]
fn going_on_from_each_page_gives_every_run_once_and_in_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let runs = runs();
    for (engine, store, _folder) in stores() {
        let written = runs.clone();
        runtime.block_on(store.write(move |tx| write_runs(tx, &written))).unwrap();
        let mut runner = TestRunner::new(ProptestConfig { cases: 400, ..ProptestConfig::default() });
        let outcome = runner.run(&any_search(), |mut search| {
            search.query.window.offset = 0;
            let whole = Window { offset: 0, limit: 1_000 };
            let all = RunSearch { query: Query { window: whole, ..search.query.clone() }, ..search.clone() };
            let (expected, _) = naive::search(&runs, &all);
            let limit = search.query.window.limit;
            let mut found: Vec<String> = Vec::new();
            loop {
                let asked = search.clone();
                let pages = runtime.block_on(store.read(move |tx| every_plan(tx, &asked))).unwrap();
                let rest = &expected[found.len()..];
                let next = &rest[..rest.len().min(limit as usize)];
                for (plan, page) in &pages {
                    let ids: Vec<&str> = page.items.iter().map(|info| info.id.as_str()).collect();
                    prop_assert_eq!(&ids, next, "plan {} after {:?}", plan, &search.after);
                    prop_assert_eq!(page.more, rest.len() > next.len(), "plan {}", plan);
                }
                found.extend(next.iter().cloned());
                let (_, chosen) = &pages[0];
                prop_assert_eq!(chosen.end.is_some(), chosen.more);
                if !chosen.more {
                    break;
                }
                // The offset of MLflow's tokens grows along, and must not be counted twice.
                search.query.window.offset += limit;
                search.after.clone_from(&chosen.end);
            }
            prop_assert_eq!(found, expected);
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("on {engine}: {error}");
        }
    }
}

#[test]
fn a_position_of_another_order_is_not_looked_at() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let runs = runs();
    for (engine, store, _folder) in stores() {
        let written = runs.clone();
        runtime.block_on(store.write(move |tx| write_runs(tx, &written))).unwrap();
        let text = || SortValue::Text("x".to_owned());
        for odd in [
            vec![],
            vec![text()],
            vec![text(), text()],
            vec![SortValue::Real(f64::NAN), text()],
            vec![SortValue::Integer(1), SortValue::Text("\0".to_owned())],
            vec![SortValue::Integer(1), SortValue::Absent],
        ] {
            let query = Query { window: Window { offset: 3, limit: 5 }, ..Query::default() };
            let search = RunSearch {
                experiments: vec![ExperimentId(1)].into(),
                query,
                after: Some(SortPosition(odd)),
                ..RunSearch::default()
            };
            let (expected, _) = naive::search(&runs, &search);
            let asked = search.clone();
            let page = runtime.block_on(store.read(move |tx| tx.run_infos_search(&everything(), &asked))).unwrap();
            let found: Vec<String> = page.items.into_iter().map(|info| info.id.0).collect();
            assert_eq!(found, expected, "on {engine}: {:?}", search.after);
        }
    }
}

fn every_plan(tx: &mut Tx, search: &RunSearch) -> Result<Vec<(String, Page<RunInfo>)>> {
    let visible = &everything();
    let mut pages = vec![
        ("chosen".to_owned(), tx.run_infos_search(visible, search)?),
        ("whole".to_owned(), run_plan::at_once(tx, visible, search, Source::Whole)?),
    ];
    let walk = walk(search);
    if let Some(walk) = walk {
        pages.push(("walk".to_owned(), run_plan::walk_parts(tx, visible, search, walk, None)?));
    }
    if let Some(Walk::Text(..)) = walk {
        for many in [0, 3] {
            pages.push((format!("by values of {many}"), run_plan::by_value(tx, visible, search, many)?));
        }
    }
    let tests: Vec<Required> = required(&search.query.filter).into_iter().filter(|test| test.has_index()).collect();
    let alone = tests.iter().map(std::slice::from_ref);
    for tests in alone.chain((2..=tests.len()).map(|several| &tests[..several])) {
        let set = Set::make(tx, search, tests)?;
        if let Some(walk) = walk {
            let page = run_plan::walk_parts(tx, visible, search, walk, Some(&set))?;
            pages.push((format!("walk among {tests:?}"), page));
        }
        pages.push((format!("{tests:?}"), run_plan::at_once(tx, visible, search, Source::Candidate(&set))?));
    }
    Ok(pages)
}

fn any_search() -> impl Strategy<Value = RunSearch> {
    let among = |ids: &[i64]| Searched::Among(ids.iter().copied().map(ExperimentId).collect());
    let experiments = prop_oneof![
        4 => Just(among(&[1])),
        1 => Just(among(&[1, 2])),
        1 => Just(among(&[2, 77])),
        1 => Just(Searched::Workspace(WorkspaceId(1))),
    ];
    let presences = prop_oneof![3 => Just(Presences::Active), 1 => Just(Presences::Deleted), 1 => Just(Presences::All)];
    let window = (prop_oneof![2 => Just(0), 1 => 0..50_i64], 1..20_i64);
    let order_by = prop::collection::vec(any_order(), 0..3);
    (experiments, presences, any_filter(), order_by, window).prop_map(
        |(experiments, presences, filter, order_by, (offset, limit))| RunSearch {
            experiments,
            presences,
            query: Query { filter, order_by, window: Window { offset, limit } },
            after: None,
        },
    )
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![1 => Just(Filter::All), 9 => any_test()];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            2 => prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::Or),
            1 => inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

fn any_test() -> impl Strategy<Value = Filter> {
    let metric = key(&["m", "n", "none"]).prop_map(Field::Metric);
    let time = prop_oneof![Just(Attribute::StartTime), Just(Attribute::EndTime)].prop_map(Field::Attribute);
    let words = prop_oneof![Just(Attribute::Name), Just(Attribute::Status), Just(Attribute::User), Just(Attribute::Id)];
    let dataset = prop_oneof![Just(DatasetField::Name), Just(DatasetField::Digest), Just(DatasetField::Context)];
    let text = prop_oneof![
        key(&["k", "l", "none"]).prop_map(Field::Param),
        key(&["k", "l", "none"]).prop_map(Field::Tag),
        words.prop_map(Field::Attribute),
        dataset.prop_map(Field::Dataset),
    ];
    let numeric = (prop_oneof![metric, time], prop_oneof![8 => number_predicate(), 1 => null_predicate()]);
    let textual = (text, prop_oneof![8 => text_predicate(), 1 => null_predicate()]);
    prop_oneof![numeric, textual].prop_map(|(field, predicate)| Filter::Test(field, predicate))
}

fn key(keys: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(keys).prop_map(str::to_owned)
}

fn number_predicate() -> impl Strategy<Value = Predicate> {
    let numbers = [0.0, 1.0, 1.25, 1.5, 2.0, 2.5, -5.0, 10.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300];
    (any_comparison(), prop::sample::select(numbers.to_vec()))
        .prop_map(|(comparison, n)| Predicate::Number(comparison, n))
}

fn null_predicate() -> impl Strategy<Value = Predicate> {
    prop_oneof![Just(Predicate::IsNull), Just(Predicate::IsNotNull)]
}

fn text_predicate() -> impl Strategy<Value = Predicate> {
    let patterns = ["%", "a%", "A%", "_", "%b", "a\\b", "a_b", "x%1", "é%", "run%", "", "%x%", "𝄞"];
    let pattern = (prop::sample::select(patterns.to_vec()), any::<bool>());
    prop_oneof![
        3 => (any_comparison(), any_text()).prop_map(|(comparison, text)| Predicate::Text(comparison, text)),
        2 => pattern.prop_map(|(pattern, ignore_case)| Predicate::Like { pattern: pattern.to_owned(), ignore_case }),
        1 => prop::collection::vec(any_text(), 0..4).prop_map(Predicate::In),
        1 => prop::collection::vec(any_text(), 0..4).prop_map(Predicate::NotIn),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    let known = ["running", "failed", "u", "b", "d", "training", "2"];
    prop_oneof![3 => prop::sample::select(texts()), 1 => prop::sample::select(known.to_vec()).prop_map(str::to_owned)]
}

fn any_comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    prop::sample::select(vec![Equal, Equal, NotEqual, Greater, GreaterOrEqual, Less, LessOrEqual])
}

fn any_order() -> impl Strategy<Value = Order> {
    let attributes =
        [Attribute::StartTime, Attribute::EndTime, Attribute::Name, Attribute::Status, Attribute::User, Attribute::Id];
    let field = prop_oneof![
        3 => key(&["m", "n", "none"]).prop_map(Field::Metric),
        1 => key(&["k", "l"]).prop_map(Field::Param),
        1 => key(&["k", "none"]).prop_map(Field::Tag),
        2 => prop::sample::select(attributes.to_vec()).prop_map(Field::Attribute),
    ];
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    (field, direction).prop_map(|(field, direction)| Order { field, direction })
}
