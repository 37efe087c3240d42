use stele_domain::Result;
use stele_domain::search::{Direction, Order};

use super::show_order;
use crate::filter::logged_models::OrderBy;
use crate::filter::{OrderByError, experiments, logged_models, models, runs, versions};

type ParseOrderBy = fn(&[String]) -> Result<Vec<Order>, OrderByError>;

fn ordered(parse: ParseOrderBy, clauses: &[&str]) -> String {
    let clauses: Vec<String> = clauses.iter().map(|clause| (*clause).to_owned()).collect();
    match parse(&clauses) {
        Ok(orders) => show_order(&orders),
        Err(OrderByError::Invalid(error)) => error.to_string(),
        Err(OrderByError::DuplicateFields(message)) => format!("500 {message}"),
    }
}

#[track_caller]
fn orders(parse: ParseOrderBy, table: &[(&str, &str)]) {
    for (clause, expected) in table {
        let actual = ordered(parse, &[clause]);
        assert!(actual.starts_with(expected), "for {clause}: {actual}");
    }
}

#[test]
fn order_by_of_runs() {
    orders(
        runs::parse_order_by,
        &[
            ("metrics.a", "metric[a] asc"),
            ("metrics.`a b`  dEsC", "metric[a b] desc"),
            ("params.\"x/y\" ASC", "param[x/y] asc"),
            ("tags.mlflow.source desc", "tag[mlflow.source] desc"),
            ("attributes.start_time DESC", "StartTime desc"),
            ("created", "StartTime asc"),
            ("run_name", "Name asc"),
            ("", "Invalid order_by clause ''. Could not be parsed."),
            ("params.my_param ", "Invalid order_by clause"),
            ("metrics.A != 1", "Invalid order_by clause"),
            ("`metrics.A", "Invalid order_by clause"),
            ("`metrics.A`", "Invalid entity type"),
            ("metrics.a DESC NULLS LAST", "Invalid order_by clause"),
            ("run_id ACS", "Invalid ordering key in order_by clause 'run_id ACS'."),
            ("m.acc", "Invalid entity type 'm'"),
            ("`run name`", "Invalid attribute key 'run name'"),
            ("experiment_id", "Invalid attribute key 'experiment_id'"),
            ("dataset.name", "Invalid identifier type 'dataset'"),
        ],
    );
    assert_eq!(
        ordered(runs::parse_order_by, &["start_time DESC", "created"]),
        "500 `order_by` contains duplicate fields: ['start_time DESC', 'created']"
    );
    assert_eq!(ordered(runs::parse_order_by, &["metrics.x", "params.x"]), "metric[x] asc, param[x] asc");
}

#[test]
fn order_by_of_experiments() {
    orders(
        experiments::parse_order_by,
        &[
            ("name DESC", "Name desc"),
            ("attribute.experiment_id", "ExperimentId asc"),
            ("creation_time", "CreatedAt asc"),
            ("last_update_time DESC", "UpdatedAt desc"),
            ("tags.a", "Invalid order_by entity: tag"),
            ("attributes.name", "Invalid entity type 'attributes'"),
            ("foo", "Invalid attribute key 'foo'"),
        ],
    );
    assert_eq!(ordered(experiments::parse_order_by, &["name", "name DESC"]), "Name asc, Name desc");
}

#[test]
fn order_by_of_models_and_versions() {
    orders(
        models::parse_order_by,
        &[
            ("name DESC", "Name desc"),
            ("timestamp", "UpdatedAt asc"),
            ("last_updated_timestamp DESC", "UpdatedAt desc"),
            ("creation_timestamp DESC", "Invalid order by key 'creation_timestamp' specified."),
            ("timestamp somerandomstuff", "Invalid order_by clause"),
            ("timestamp somerandomstuff ASC", "Invalid order_by clause"),
            ("name aCs", "Invalid ordering key"),
        ],
    );
    assert!(ordered(models::parse_order_by, &["timestamp", "last_updated_timestamp"]).starts_with("500 "));
    orders(
        versions::parse_order_by,
        &[
            ("version_number DESC", "VersionNumber desc"),
            ("creation_timestamp", "CreatedAt asc"),
            ("last_updated_timestamp", "UpdatedAt asc"),
            ("name", "Name asc"),
            ("tags.a", "Invalid order by key 'a' specified."),
            ("run_id", "Invalid attribute key 'run_id'"),
        ],
    );
}

#[test]
fn order_by_of_logged_models() {
    let by =
        |field_name| OrderBy { field_name, direction: Direction::Descending, dataset_name: None, dataset_digest: None };
    let shown = |element: OrderBy<'_>| match logged_models::parse_order_by(&[element]) {
        Ok(orders) => show_order(&orders),
        Err(error) => error.to_string(),
    };
    assert_eq!(shown(by("creation_timestamp")), "CreatedAt desc");
    assert_eq!(shown(by("metrics.a b.c")), "metric[a b.c] desc");
    assert_eq!(shown(OrderBy { dataset_name: Some("d"), ..by("metrics.a") }), "metric[a]@d#* desc");
    assert_eq!(
        shown(OrderBy { dataset_name: Some("d"), dataset_digest: Some("1"), ..by("metrics.a") }),
        "metric[a]@d#1 desc"
    );
    assert_eq!(shown(OrderBy { dataset_digest: Some("1"), ..by("metrics.a") }), "metric[a]@*#1 desc");
    assert_eq!(shown(by("foo")), "Invalid order by field name: foo");
    assert_eq!(shown(by("params.a")), "Invalid order by field name: params.a. Only metrics are supported.");
}
