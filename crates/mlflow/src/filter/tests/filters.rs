use stele_domain::search::Filter;

use super::{means, outcome, refuses, show};
use crate::filter::{PromptSelection, experiments, logged_models, models, runs, select_prompts, versions};

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
            ("metrics.val/loss > 1 AND params.a-1=x", "and(metric[val/loss] > 1.0, param[a-1] = 'x')"),
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
                "Invalid filter string: \"name = 'a'; name = 'b'\". Expected a single SQL expression.",
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

#[test]
fn prompts_are_found_only_on_demand() {
    let select = |filter| {
        let (filter, selection) = select_prompts(models::parse_filter(filter).expect("the filter is valid"));
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
