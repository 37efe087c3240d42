use proptest::prelude::*;
use stele_domain::search::{Comparison, Direction, Field, Filter, Order, Predicate};
use stele_domain::{Error, Result};

use super::logged_models::OrderBy;
use super::{MAX_COMPARISONS, MAX_DEPTH, MAX_LENGTH, MAX_LIST_VALUES};
use super::{OrderByError, PromptSelection, experiments, logged_models, models, runs, select_prompts, versions};

/// One line that says what a filter means.
fn show(filter: &Filter) -> String {
    let join =
        |name: &str, inner: &[Filter]| format!("{name}({})", inner.iter().map(show).collect::<Vec<_>>().join(", "));
    match filter {
        Filter::All => "all".to_owned(),
        Filter::And(inner) => join("and", inner),
        Filter::Or(inner) => join("or", inner),
        Filter::Not(inner) => format!("not({})", show(inner)),
        Filter::Test(field, predicate) => format!("{} {}", show_field(field), show_predicate(predicate)),
    }
}

fn show_field(field: &Field) -> String {
    match field {
        Field::Attribute(attribute) => format!("{attribute:?}"),
        Field::Metric(key) => format!("metric[{key}]"),
        Field::MetricOnDataset { key, dataset_name, dataset_digest } => {
            format!("metric[{key}]@{dataset_name}#{}", dataset_digest.as_deref().unwrap_or("*"))
        }
        Field::Param(key) => format!("param[{key}]"),
        Field::Tag(key) => format!("tag[{key}]"),
        Field::Dataset(field) => format!("dataset[{field:?}]"),
    }
}

fn show_predicate(predicate: &Predicate) -> String {
    let symbol = |comparison: &Comparison| match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "!=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
    };
    match predicate {
        Predicate::Number(comparison, value) => format!("{} {value:?}", symbol(comparison)),
        Predicate::Text(comparison, value) => format!("{} '{value}'", symbol(comparison)),
        Predicate::Like { pattern, ignore_case: false } => format!("like '{pattern}'"),
        Predicate::Like { pattern, ignore_case: true } => format!("ilike '{pattern}'"),
        Predicate::In(values) => format!("in {values:?}"),
        Predicate::NotIn(values) => format!("not in {values:?}"),
        Predicate::IsNull => "is null".to_owned(),
        Predicate::IsNotNull => "is not null".to_owned(),
    }
}

fn show_order(orders: &[Order]) -> String {
    let one = |order: &Order| match order.direction {
        Direction::Ascending => format!("{} asc", show_field(&order.field)),
        Direction::Descending => format!("{} desc", show_field(&order.field)),
    };
    orders.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn outcome(result: Result<Filter>) -> String {
    match result {
        Ok(filter) => show(&filter),
        Err(Error::Invalid { message }) => message,
        Err(other) => panic!("only Invalid is expected, not {other:?}"),
    }
}

#[track_caller]
fn means(parse: fn(&str) -> Result<Filter>, table: &[(&str, &str)]) {
    for (filter, expected) in table {
        assert_eq!(&outcome(parse(filter)), expected, "for {filter}");
    }
}

#[track_caller]
fn refuses(parse: fn(&str) -> Result<Filter>, table: &[(&str, &str)]) {
    for (filter, beginning) in table {
        match parse(filter) {
            Ok(parsed) => panic!("{filter} was accepted as {}", show(&parsed)),
            Err(Error::Invalid { message }) => {
                assert!(message.starts_with(beginning), "for {filter}: {message}");
            }
            Err(other) => panic!("only Invalid is expected, not {other:?}"),
        }
    }
}

#[test]
fn run_filters_have_mlflow_meaning() {
    means(
        runs::parse_filter,
        &[
            ("", "all"),
            ("metrics.a>=-1.5e-3", "metric[a] >= -0.0015"),
            ("metric.a < .5 and metrics.b != 5.", "and(metric[a] < 0.5, metric[b] != 5.0)"),
            ("metrics.a > 1e400", "metric[a] > inf"),
            ("metrics.`a b` = 1 AND `metrics`.\"c/d\" = 2", "and(metric[a b] = 1.0, metric[c/d] = 2.0)"),
            ("metrics.a.b.c = 1", "metric[a.b.c] = 1.0"),
            ("metrics.a[0] = 1", "metric[a[0]] = 1.0"),
            ("metrics.1a = 1", "metric[1a] = 1.0"),
            ("metrics.and = 1", "metric[and] = 1.0"),
            ("params.a = \"it's\"", "param[a] = 'it's'"),
            ("parameter.a LIKE '%x_'", "param[a] like '%x_'"),
            ("parameters.a ilike 'X%'", "param[a] ilike 'X%'"),
            ("param.lr='1'AND tags.b=''", "and(param[lr] = '1', tag[b] = '')"),
            ("tag.ü IS NULL", "tag[ü] is null"),
            ("params.x is\nnot\tnull", "param[x] is not null"),
            ("status != 'FAILED'", "Status != 'FAILED'"),
            ("attributes.run_id = 'r'", "Id = 'r'"),
            ("run_id not in ('a', \"b\",)", "Id not in [\"a\", \"b\"]"),
            ("attr.user_id = 'u'", "User = 'u'"),
            ("run.artifact_uri = 'u'", "ArtifactUri = 'u'"),
            ("attribute.start_time > 1.5", "StartTime > 1.5"),
            ("created > 1 AND Created < 3", "and(StartTime > 1.0, StartTime < 3.0)"),
            ("end_time <= 7", "EndTime <= 7.0"),
            ("run_name = 'n'", "Name = 'n'"),
            ("`run name` = 'n'", "Name = 'n'"),
            ("attributes.\"Run Name\" LIKE 'n%'", "Name like 'n%'"),
            ("tags.mlflow.runName = 'n'", "Name = 'n'"),
            ("tags.`mlflow.runName` = 'n'", "Name = 'n'"),
            ("dataset.name IN ('a', 'b')", "dataset[Name] in [\"a\", \"b\"]"),
            ("datasets.digest = 'd'", "dataset[Digest] = 'd'"),
            ("datasets.context ILIKE 'TRAIN'", "dataset[Context] ilike 'TRAIN'"),
        ],
    );
}

#[test]
fn quotes_inside_literals_are_kept() {
    means(
        runs::parse_filter,
        &[
            ("params.a = 'it''s'", "param[a] = 'it''s'"),
            (r"params.a = 'it\'s'", r"param[a] = 'it\'s'"),
            (r"params.a = 'C:\'", r"param[a] = 'C:\'"),
            (r#"params.a = "say ""x""""#, r#"param[a] = 'say ""x""'"#),
            (r#"params.a = 'say "x"'"#, r#"param[a] = 'say "x"'"#),
            ("params.`a``b` = 'x'", "param[a``b] = 'x'"),
            ("params.\"a`b\" = 'x'", "param[a`b] = 'x'"),
            ("tags.`'a'` = 'x'", "tag['a'] = 'x'"),
            ("run_id IN ('it\\'s', 'a\\\\b')", "Id in [\"it's\", \"a\\\\b\"]"),
        ],
    );
}

#[test]
fn stray_and_missing_ands_are_accepted() {
    means(
        runs::parse_filter,
        &[
            ("AND metrics.a > 1 AND", "metric[a] > 1.0"),
            ("metrics.a > 1 AND AND params.b = 'x'", "and(metric[a] > 1.0, param[b] = 'x')"),
            ("metrics.a > 1 params.b = 'x'", "and(metric[a] > 1.0, param[b] = 'x')"),
            ("and", "all"),
        ],
    );
}

#[test]
fn not_binds_tighter_than_and_and_and_tighter_than_or() {
    means(
        runs::parse_filter,
        &[
            (
                "NOT tags.a = 'x' AND tags.b = 'y' OR tags.c = 'z'",
                "or(and(not(tag[a] = 'x'), tag[b] = 'y'), tag[c] = 'z')",
            ),
            (
                "tags.a = 'x' and (tags.b = 'y' or not (metrics.c > 1))",
                "and(tag[a] = 'x', or(tag[b] = 'y', not(metric[c] > 1.0)))",
            ),
            ("params.a IN ('x', 'y')", "param[a] in [\"x\", \"y\"]"),
            ("tags.a NOT IN ('x') OR status IN ('RUNNING')", "or(tag[a] not in [\"x\"], Status in [\"RUNNING\"])"),
        ],
    );
    refuses(
        runs::parse_filter,
        &[
            ("metrics.a > 1 OR", "Invalid clause(s) in filter string: 'OR' at position 15"),
            ("OR metrics.a > 1", "Invalid clause(s) in filter string: 'OR' at position 1"),
            ("metrics.a > 1 AND OR metrics.b > 1", "Invalid clause(s) in filter string: 'AND' at position 15"),
            ("(metrics.a > 1", "Invalid clause(s) in filter string: '(' at position 1"),
            ("metrics.a > 1)", "Invalid clause(s) in filter string: ')' at position 14"),
            ("()", "Invalid clause(s) in filter string: ')'"),
            ("NOT", "Invalid clause(s) in filter string: 'NOT'"),
            ("metrics.a > 1 (metrics.b > 1)", "Invalid clause(s) in filter string: '('"),
        ],
    );
}

#[test]
fn run_filter_errors_begin_with_mlflow_text() {
    let not_quoted = "Parameter value is either not quoted or unidentified quote types used for string value";
    refuses(
        runs::parse_filter,
        &[
            (" ", "Invalid filter ' '. Could not be parsed."),
            ("metric.acc >= 0.94; metrics.rmse < 1", "Search filter contained multiple expression"),
            ("metrics.a > 1;", "Invalid clause(s) in filter string: ';' at position 14"),
            ("m.acc >= 0.94", "Invalid entity type 'm'. Valid values are ['metric', 'parameter', 'tag', "),
            ("Attributes.status = 'F'", "Invalid entity type 'Attributes'"),
            ("acc >= 0.94", "Invalid attribute key 'acc' specified. Valid keys are '{'Created', "),
            ("foo is null", "Invalid attribute key 'foo'"),
            ("attribute.experiment_id != 1", "Invalid attribute key 'experiment_id'"),
            ("dataset.profile = 'x'", "Invalid dataset key 'profile'"),
            ("metrics.A > 0.1 NAND params.B = 'LR'", "Invalid clause(s) in filter string: 'NAND' at position 17"),
            ("`metrics.A > 0.1", "Invalid clause(s) in filter string"),
            ("dummy`.A > 0.1", "Invalid clause(s) in filter string"),
            ("attribute.status = true", "Invalid clause(s) in filter string: 'true' at position 20"),
            ("attribute.status IS 'RUNNING'", "Invalid clause(s) in filter string"),
            (
                "metrics.acc IS NULL",
                "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'acc'",
            ),
            ("status IS NULL", "IS NULL / IS NOT NULL is only supported for tags and params"),
            ("metric.model = 'LR'", "Expected numeric value type for metric. Found 'LR' at position 16"),
            ("metrics.acc != metrics.acc", "Expected numeric value type for metric"),
            ("metrics.a > 1_000", "Expected numeric value type for metric. Found 1_000"),
            ("start_time > '1'", "Expected numeric value type for numeric attribute: start_time. Found '1'"),
            ("params.acc = 5", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 5"),
            ("tags.acc = 5", "Expected a quoted string value for tag"),
            ("attribute.status = 1", "Expected a quoted string value for attributes. Got value 1"),
            ("dataset.name = 1", "Expected a quoted string value for dataset attributes. Got value 1"),
            ("1.0 > metrics.acc", "Invalid comparison clause. Expected 'Identifier' found '1.0' at position 1"),
            ("metrics.a-b > 1", "Invalid comparison clause. Expected 'Identifier' found 'metrics.a-b'"),
            ("metrics.a/b > 1", "Invalid comparison clause. Expected 'Identifier' found 'metrics.a/b'"),
            ("params.acc = LR", not_quoted),
            ("params.acc = `LR`", not_quoted),
            ("params.acc = LR'", "Invalid clause(s) in filter string"),
            ("params.acc = \"LR'", "Invalid clause(s) in filter string"),
            ("tags.acc = = 'LR'", "Invalid clause(s) in filter string: '=' at position 12"),
            ("params.acc LR !=", "Invalid clause(s) in filter string"),
            ("metric.acc !=", "Invalid clause(s) in filter string: 'metric.acc'"),
            ("metrics.abc ~= 1.0", "Invalid comparator '~=' not one of '{'!=', '<', '<=', '=', '>', '>='}'"),
            ("metrics.abc == 1", "Invalid comparator '=='"),
            ("params.abc >= 'x'", "Invalid comparator '>='"),
            ("params.abc rlike 'x'", "Invalid comparator 'RLIKE'"),
            ("params.abc not like 'x'", "Invalid comparator 'NOT LIKE'"),
            ("start_time LIKE 1234", "Invalid comparator 'LIKE'"),
            ("datasets.name < 'x'", "Invalid comparator '<'"),
            (
                "run_id IN ()",
                "While parsing a list in the query, expected a non-empty list of string values, but got empty list",
            ),
            (
                "run_id IN (1,2)",
                "While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list",
            ),
            (
                "run_id IN ('a',,'b')",
                "While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list",
            ),
            ("run_id IN ('a'", "Invalid clause(s) in filter string"),
            ("run_id IN 'a'", "Invalid clause(s) in filter string"),
        ],
    );
}

#[test]
fn positions_count_characters() {
    assert_eq!(
        outcome(runs::parse_filter("params.ü = 'ö' AND params.ä = 5")),
        "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 5 at position 31"
    );
}

#[test]
fn experiment_filters() {
    means(
        experiments::parse_filter,
        &[
            ("name LIKE 'a%' AND tags.`b c` = 'x'", "and(Name like 'a%', tag[b c] = 'x')"),
            ("attribute.name = 'a'", "Name = 'a'"),
            ("experiment_id = '007'", "ExperimentId = '7'"),
            ("experiment_id NOT IN ('1', '2')", "ExperimentId not in [\"1\", \"2\"]"),
            ("creation_time > 5 AND last_update_time <= 7", "and(CreatedAt > 5.0, UpdatedAt <= 7.0)"),
            ("tags.a IS NULL", "tag[a] is null"),
        ],
    );
    refuses(
        experiments::parse_filter,
        &[
            (
                "attributes.name = 'a'",
                "Invalid entity type 'attributes'. Valid entity types are ('attribute', 'tag', 'tags')",
            ),
            ("params.a = 'a'", "Invalid entity type 'params'"),
            ("foo = 'a'", "Invalid attribute key 'foo'"),
            ("name IS NULL", "IS NULL / IS NOT NULL is only supported for tags, not for attribute 'name'"),
            ("experiment_id = 1", "Expected a quoted string value for attributes. Got value 1"),
            ("experiment_id = 'x'", "Invalid experiment ID 'x'. Experiment ID must be a valid integer."),
            ("experiment_id LIKE '1'", "Invalid comparator for experiment_id: LIKE"),
            ("creation_time > 1.5", "Invalid value for numeric attribute 'creation_time': '1.5'"),
            ("name > 'a'", "Invalid comparator '>' not one of"),
            ("tags.a > 'a'", "Invalid comparator for tag: >"),
        ],
    );
}

#[test]
fn registered_model_filters() {
    means(
        models::parse_filter,
        &[
            ("name ilike '%A%'", "Name ilike '%A%'"),
            ("name IN ('a', 'b') AND tag.x != 'y'", "and(Name in [\"a\", \"b\"], tag[x] != 'y')"),
        ],
    );
    refuses(
        models::parse_filter,
        &[
            ("evilhax = true", "Invalid clause(s) in filter string"),
            ("run_id = 'x'", "Invalid attribute key 'run_id' specified. Valid keys are '{'name'}'"),
            (
                "name = 123",
                "Expected a quoted string value or a list of quoted string values for attributes. Got value 123",
            ),
            (
                "name!=something",
                "Parameter value is either not quoted or unidentified quote types used for string value something",
            ),
            ("name > 'x'", "Invalid comparator for attribute: >"),
            ("tags.a < 'x'", "Invalid comparator for tag: <"),
        ],
    );
}

#[test]
fn model_version_filters() {
    means(
        versions::parse_filter,
        &[
            ("name = 'm' AND version_number >= 2", "and(Name = 'm', VersionNumber >= 2.0)"),
            ("version_number = ' 3 '", "VersionNumber = 3.0"),
            ("run_id IN ('a','b')", "RunId in [\"a\", \"b\"]"),
            ("source_path = '/a/b'", "Source = '/a/b'"),
            ("tags.`mlflow.x` LIKE 'y'", "tag[mlflow.x] like 'y'"),
        ],
    );
    refuses(
        versions::parse_filter,
        &[
            ("version_number = 1.5", "Invalid value for numeric attribute 'version_number': '1.5'"),
            ("version_number = 'x'", "Invalid value for numeric attribute 'version_number': 'x'"),
            ("version_number LIKE '1'", "Invalid comparator for attribute version_number: LIKE"),
            ("version_number = x", "Parameter value is either not quoted"),
            ("run_id = 1", "Only the '{'version_number'}' attributes support comparison with numeric values."),
            ("creation_timestamp > 1", "Invalid attribute key 'creation_timestamp'"),
            ("source_path < 'x'", "Invalid comparator for attribute: <"),
        ],
    );
}

#[test]
fn logged_model_filters() {
    means(
        logged_models::parse_filter,
        &[
            ("metrics.loss > 0.1 AND params.lr = 0.01", "and(metric[loss] > 0.1, param[lr] = '0.01')"),
            ("params.`a b` like \"x\"", "param[a b] like 'x'"),
            ("name = mine", "Name = 'mine'"),
            ("metrics.loss < inf", "metric[loss] < inf"),
            ("attributes.source_run_id IN ('a')", "RunId in [\"a\"]"),
            ("creation_time > 1 AND last_updated_timestamp < 2", "and(CreatedAt > 1.0, UpdatedAt < 2.0)"),
            ("model_id = 'm-1' OR status = 'READY'", "or(Id = 'm-1', Status = 'READY')"),
            ("tags.a IS NULL", "tag[a] is null"),
        ],
    );
    refuses(
        logged_models::parse_filter,
        &[
            ("Foo", "Invalid filter string: 'Foo'. Expected a list of comparisons separated by 'AND'"),
            (
                "name = 'a'; name = 'b'",
                "Invalid filter string: 'name = 'a'; name = 'b''. Expected a single SQL expression.",
            ),
            (
                "param.a = 'x'",
                "Invalid entity type: 'param'. Expected one of ['attributes', 'metrics', 'params', 'tags'].",
            ),
            ("name > 'a'", "Invalid comparison operator for attributes.name: '>'. Expected one of"),
            ("metrics.a LIKE 1", "Invalid comparison operator for metrics.a: 'LIKE'"),
            ("metrics.a IN ('1')", "Invalid comparison operator for metrics.a: 'IN'"),
            ("metrics.a > 'x'", "Expected numeric value type for metric. Found 'x'"),
            ("foo = 'x'", "Invalid attribute key 'foo'"),
        ],
    );
}

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
    assert!(shown(OrderBy { dataset_digest: Some("1"), ..by("metrics.a") }).starts_with("`dataset_digest` can only"));
    assert_eq!(shown(by("foo")), "Invalid order by field name: foo");
    assert_eq!(shown(by("params.a")), "Invalid order by field name: params.a. Only metrics are supported.");
}

#[test]
fn prompts_are_found_only_on_demand() {
    let select = |filter| {
        let (filter, selection) = select_prompts(models::parse_filter(filter).unwrap());
        format!("{} {selection:?}", show(&filter))
    };
    assert_eq!(select(""), "all Excluded");
    assert_eq!(select("name = 'a'"), "Name = 'a' Excluded");
    assert_eq!(
        select("tags.`mlflow.prompt.is_prompt` = 'True' AND name = 'a'"),
        "and(tag[mlflow.prompt.is_prompt] = 'True', Name = 'a') ByFilter"
    );
    assert_eq!(select("tags.mlflow.prompt.is_prompt != 'false'"), "tag[mlflow.prompt.is_prompt] != 'false' ByFilter");
    assert_eq!(select("name = 'a' AND tags.`mlflow.prompt.is_prompt` = 'false'"), "and(Name = 'a', all) Excluded");
    assert_eq!(select("tags.`mlflow.prompt.is_prompt` != 'true'"), "all Excluded");
    assert_eq!(PromptSelection::Excluded, select_prompts(Filter::All).1);
}

#[test]
fn bounds_are_enforced() {
    let nested = |depth: usize| format!("{}tags.a = 'x'{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(outcome(runs::parse_filter(&nested(MAX_DEPTH))), "tag[a] = 'x'");
    let negations = format!("{}tags.a = 'x'", "NOT ".repeat(100_000));
    let list = |count: usize| format!("run_id IN ({})", vec!["'a'"; count].join(","));
    assert!(runs::parse_filter(&list(MAX_LIST_VALUES)).is_ok());
    refuses(
        runs::parse_filter,
        &[
            (&nested(MAX_DEPTH + 1), "Invalid filter: nested deeper than 64 levels at position 65"),
            (&negations, "Invalid filter: nested deeper than 64 levels"),
            (&"tags.a = 'x' ".repeat(MAX_COMPARISONS + 1), "Invalid filter: more than 1000 comparisons"),
            (&list(MAX_LIST_VALUES + 1), "Invalid filter: more than 20000 values in a list"),
            (&" ".repeat(MAX_LENGTH + 1), "Invalid filter: it is 1048577 bytes long"),
        ],
    );
    let long = format!("tags.{} > 1", "a".repeat(100_000));
    assert!(outcome(runs::parse_filter(&long)).len() < 1_000, "errors do not echo the whole input");
}

const PARSERS: [fn(&str) -> Result<Filter>; 5] = [
    runs::parse_filter,
    experiments::parse_filter,
    models::parse_filter,
    versions::parse_filter,
    logged_models::parse_filter,
];

fn parse_everything(text: &str) {
    for parse in PARSERS {
        if let Err(error) = parse(text) {
            assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
        }
    }
    let clauses = [text.to_owned()];
    let _ = runs::parse_order_by(&clauses);
    let _ = experiments::parse_order_by(&clauses);
    let _ = models::parse_order_by(&clauses);
    let _ = versions::parse_order_by(&clauses);
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in any::<String>()) {
        parse_everything(&text);
    }

    #[test]
    fn any_sequence_of_pieces_parses_or_is_refused(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "metrics.a", "params.", "tags", ".", "`", "'", "\"", "\\", "ü", "''", "(", ")", ",", ";", "-", "1", "1e", "e5",
            "AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "=", "!=", ">", " ", "\n", "[", "]", "run_id", "name",
        ]), 0..40)
    ) {
        parse_everything(&pieces.concat());
    }

    #[test]
    fn any_value_without_quotes_comes_back(key in "[^`]{1,20}", value in "[^'\\\\]{0,20}") {
        let filter = format!("params.`{key}` = '{value}'");
        prop_assert_eq!(
            runs::parse_filter(&filter).unwrap(),
            Filter::Test(Field::Param(key), Predicate::Text(Comparison::Equal, value))
        );
    }
}
