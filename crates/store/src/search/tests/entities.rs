//! Searches of experiments, models, versions and logged models, on both engines.

use stele_domain::Result;
use stele_domain::id::ExperimentId;
use stele_domain::search::{
    Attribute, Comparison, DatasetSelector, Direction, ExperimentSearch, Field, Filter, LoggedModelSearch, Order,
    Predicate, Presences, Query, Window,
};

use super::everything;
use super::record::stores;
use crate::Tx;
use crate::engine::params;

fn on_each_engine(test: impl Fn(&mut Tx) -> Result<()> + Clone + Send + 'static) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (engine, store, _folder) in stores() {
        let test = test.clone();
        let outcome = runtime.block_on(store.write(move |tx| {
            tx.execute("INSERT INTO workspace (id, name, created_at) VALUES (1, 'w', 0), (2, 'other', 0)", params![])?;
            test(tx)
        }));
        outcome.unwrap_or_else(|error| panic!("on {engine}: {error}"));
    }
}

fn text_is(field: Field, value: &str) -> Filter {
    Filter::Test(field, Predicate::Text(Comparison::Equal, value.to_owned()))
}

fn number_is(field: Field, comparison: Comparison, number: f64) -> Filter {
    Filter::Test(field, Predicate::Number(comparison, number))
}

fn tag(key: &str) -> Field {
    Field::Tag(key.to_owned())
}

fn filtered(filter: Filter) -> Query {
    Query { filter, ..Query::default() }
}

fn ordered(field: Field, direction: Direction) -> Query {
    Query { order_by: vec![Order { field, direction }], ..Query::default() }
}

#[test]
fn experiments_by_name_time_and_tags() {
    on_each_engine(|tx| {
        for (id, workspace, name, presence, created) in [
            (1, 1, "vision", "active", 10),
            (2, 1, "Vision-old", "deleted", 20),
            (3, 1, "speech", "active", 30),
            (4, 1, "text", "active", 30),
            (5, 2, "vision", "active", 10),
        ] {
            tx.execute(
                "INSERT INTO experiment (id, workspace_id, name, artifact_location, presence, created_at, updated_at)
                     VALUES ($1, $2, $3, '', $4, $5, $5)",
                params![id, workspace, name, presence, created],
            )?;
        }
        for (id, key, value) in [(1, "team", "a"), (1, "tier", "1"), (3, "team", "b")] {
            let insert = "INSERT INTO experiment_tag (experiment_id, key, value) VALUES ($1, $2, $3)";
            tx.execute(insert, params![id, key, value])?;
        }
        let mut found = |presences, query| -> Result<Vec<i64>> {
            let page = tx.experiments_search(&everything(), &ExperimentSearch { presences, query })?;
            Ok(page.items.iter().map(|experiment| experiment.id.0).collect())
        };
        use Presences::{Active, All, Deleted};
        assert_eq!(found(Active, Query::default())?, [4, 3, 1], "newest first, also within a millisecond");
        assert_eq!(found(All, ordered(Field::Attribute(Attribute::CreatedAt), Direction::Descending))?, [4, 3, 2, 1]);
        assert_eq!(found(Deleted, Query::default())?, [2]);
        let like = Predicate::Like { pattern: "vision%".to_owned(), ignore_case: true };
        assert_eq!(found(All, filtered(Filter::Test(Field::Attribute(Attribute::Name), like)))?, [2, 1]);
        let ids = Predicate::NotIn(vec!["1".to_owned(), "none".to_owned()]);
        assert_eq!(found(Active, filtered(Filter::Test(Field::Attribute(Attribute::ExperimentId), ids)))?, [4, 3]);
        let both = Filter::And(vec![text_is(tag("team"), "a"), text_is(tag("tier"), "1")]);
        assert_eq!(found(Active, filtered(both))?, [1]);
        let not_b = Filter::Test(tag("team"), Predicate::Text(Comparison::NotEqual, "b".to_owned()));
        assert_eq!(found(Active, filtered(not_b))?, [1], "an experiment without the tag does not count");

        let window = Window { offset: 1, limit: 1 };
        let search = ExperimentSearch { presences: Active, query: Query { window, ..Query::default() } };
        let page = tx.experiments_search(&everything(), &search)?;
        assert_eq!((page.items.len(), page.items[0].id.0, page.more), (1, 3, true));
        let search = ExperimentSearch { presences: Active, query: filtered(text_is(tag("tier"), "1")) };
        assert_eq!(tx.experiments_search(&everything(), &search)?.items[0].tags.len(), 2);
        Ok(())
    });
}

#[test]
fn models_and_versions() {
    on_each_engine(|tx| {
        for (id, workspace, name, updated) in [(1, 1, "b", 5), (2, 1, "a", 7), (3, 1, "prompt", 6), (4, 2, "a", 9)] {
            tx.execute(
                "INSERT INTO model (id, workspace_id, public_id, name, created_at, updated_at)
                     VALUES ($1, $2, $3, $4, 0, $5)",
                params![id, workspace, &format!("p{id}"), name, updated],
            )?;
        }
        tx.execute("INSERT INTO model_tag (model_id, key, value) VALUES (3, 'is_prompt', 'true')", params![])?;
        for (id, model, number, run, updated) in
            [(1, 1, 1, Some("r1"), 10), (2, 1, 2, None, 20), (3, 2, 1, Some("r2"), 20), (4, 4, 1, Some("r1"), 30)]
        {
            tx.execute(
                "INSERT INTO model_version (id, public_id, model_id, number, stage, approval, source, storage_uri, run,
                         created_at, updated_at)
                     VALUES ($1, $2, $3, $4, 'none', 'pending', 's3://x', 's3://x', $5, 0, $6)",
                params![id, &format!("v{id}"), model, number, run, updated],
            )?;
        }
        let mut models = |query| -> Result<Vec<String>> {
            Ok(tx.models_search(&everything(), &query)?.items.into_iter().map(|model| model.name).collect())
        };
        assert_eq!(models(Query::default())?, ["a", "b", "prompt"]);
        assert_eq!(
            models(ordered(Field::Attribute(Attribute::UpdatedAt), Direction::Descending))?,
            ["a", "prompt", "b"]
        );
        let no_prompts = Filter::Not(Box::new(text_is(tag("is_prompt"), "true")));
        assert_eq!(models(filtered(no_prompts))?, ["a", "b"]);

        let mut versions = |query| -> Result<Vec<String>> {
            let page = tx.model_versions_search(&everything(), &query)?;
            Ok(page.items.into_iter().map(|version| format!("{}/{}", version.model, version.number)).collect())
        };
        assert_eq!(versions(Query::default())?, ["a/1", "b/2", "b/1"], "last changed first, then by model");
        assert_eq!(
            versions(ordered(Field::Attribute(Attribute::CreatedAt), Direction::Ascending))?,
            ["a/1", "b/2", "b/1"],
            "ties by model, then greatest number first"
        );
        let run = |predicate| filtered(Filter::Test(Field::Attribute(Attribute::RunId), predicate));
        assert_eq!(versions(run(Predicate::In(vec!["r1".to_owned()])))?, ["b/1"]);
        assert_eq!(versions(run(Predicate::Text(Comparison::NotEqual, "r1".to_owned())))?, ["a/1", "b/2"]);
        assert_eq!(versions(run(Predicate::IsNull))?, ["b/2"]);
        let number = Field::Attribute(Attribute::VersionNumber);
        assert_eq!(versions(filtered(number_is(number, Comparison::Greater, 1.5)))?, ["b/2"]);
        Ok(())
    });
}

fn write_logged_models(tx: &mut Tx) -> Result<()> {
    let experiment =
        "INSERT INTO experiment (id, workspace_id, name, artifact_location, presence, created_at, updated_at)
         VALUES (1, 1, 'e', '', 'active', 0, 0)";
    tx.execute(experiment, params![])?;
    let run = "INSERT INTO run (id, public_id, workspace_id, experiment_id, kind, name, status, presence, user_name,
             artifact_uri, created_at) VALUES (1, 'r', 1, 1, 'training', '', 'running', 'active', '', '', 0)";
    tx.execute(run, params![])?;
    tx.execute("INSERT INTO artifact (id, workspace_id, name, created_at) VALUES (1, 1, 'n', 0)", params![])?;
    for (id, name, presence, created) in
        [(1, "m-1", "active", 10), (2, "m-2", "active", 20), (3, "m-3", "active", 30), (4, "m-4", "deleted", 40)]
    {
        tx.execute(
            "INSERT INTO artifact_version (id, public_id, workspace_id, artifact_id, number, type, uri, created_at)
                 VALUES ($1, $2, 1, 1, $1, 'model', '', 0)",
            params![id, name],
        )?;
        tx.execute(
            "INSERT INTO logged_model (id, public_id, workspace_id, experiment_id, name, artifact_uri, status,
                     presence, created_at, updated_at)
                 VALUES ($1, $2, 1, 1, 'n', '', 'ready', $3, $4, $4)",
            params![id, name, presence, created],
        )?;
    }
    for (model, timestamp, value, dataset) in
        [(1, 1, 0.9, Some("d")), (1, 2, 0.1, None), (2, 1, 0.5, Some("d")), (2, 2, 0.6, Some("e"))]
    {
        tx.execute(
            "INSERT INTO logged_model_metric (logged_model_id, key, timestamp, step, run_id, value, is_nan, dataset_name,
                     dataset_digest)
                 VALUES ($1, 'acc', $2, 0, 1, $3, 0, $4, $5)",
            params![model, timestamp, value, dataset, dataset.map(|_| "1")],
        )?;
    }
    Ok(())
}

#[test]
fn logged_models_by_metrics_on_datasets() {
    on_each_engine(|tx| {
        write_logged_models(tx)?;
        let mut found = |query, datasets: &[(&str, Option<&str>)]| -> Result<Vec<String>> {
            let measured_on = datasets
                .iter()
                .map(|(name, digest)| DatasetSelector { name: (*name).to_owned(), digest: digest.map(str::to_owned) })
                .collect();
            let search = LoggedModelSearch { experiments: vec![ExperimentId(1)], measured_on, query };
            Ok(tx.logged_models_search(&everything(), &search)?.items.into_iter().map(|model| model.id.0).collect())
        };
        let acc = Field::Metric("acc".to_owned());
        let acc_on = |name: &str, digest: Option<&str>| Field::MetricOnDataset {
            key: "acc".to_owned(),
            dataset_name: Some(name.to_owned()),
            dataset_digest: digest.map(str::to_owned),
        };
        assert_eq!(found(Query::default(), &[])?, ["m-3", "m-2", "m-1"], "newest first, without deleted ones");
        assert_eq!(found(Query::default(), &[("d", None)])?, ["m-2", "m-1"]);
        assert_eq!(found(Query::default(), &[("e", Some("1")), ("d", Some("2"))])?, ["m-2"]);
        let over = |field, number| filtered(number_is(field, Comparison::Greater, number));
        assert_eq!(found(over(acc.clone(), 0.8), &[])?, ["m-1"], "any point may match");
        assert_eq!(found(over(acc_on("d", None), 0.4), &[])?, ["m-2", "m-1"]);
        assert_eq!(found(over(acc_on("e", Some("1")), 0.4), &[])?, ["m-2"]);
        let newest_value = ordered(acc, Direction::Descending);
        assert_eq!(found(newest_value, &[])?, ["m-2", "m-1", "m-3"], "by the newest value, none last");
        assert_eq!(found(ordered(acc_on("d", None), Direction::Descending), &[])?, ["m-1", "m-2", "m-3"]);
        assert_eq!(found(ordered(acc_on("e", None), Direction::Ascending), &[])?, ["m-2", "m-3", "m-1"]);
        Ok(())
    });
}

#[test]
fn searches_have_bounds() {
    on_each_engine(|tx| {
        let mut refused = |query: Query| tx.models_search(&everything(), &query).is_err();
        let name = || text_is(Field::Attribute(Attribute::Name), "n");
        assert!(refused(Query { window: Window { offset: -1, limit: 1 }, ..Query::default() }));
        assert!(refused(Query { window: Window { offset: 0, limit: 0 }, ..Query::default() }));
        assert!(!refused(filtered(Filter::And(vec![name(); crate::search::MOST_PREDICATES]))));
        assert!(refused(filtered(Filter::And(vec![name(); crate::search::MOST_PREDICATES + 1]))));
        let deep = (0..=crate::search::MOST_LEVELS).fold(name(), |inner, _| Filter::Not(Box::new(inner)));
        assert!(refused(filtered(deep)));
        assert!(refused(filtered(number_is(Field::Attribute(Attribute::Name), Comparison::Equal, 1.0))));
        Ok(())
    });
}
