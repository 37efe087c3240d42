//! Names of properties that searches can be by: the fixed ones, and the tags, parameters and metrics of what is new.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stele_domain::search::{Attribute, Direction, Field, Order, Query, Window};

use crate::call::Call;
use crate::error::Result;
use crate::search::{components, records, searched};
use crate::search_fields::Searched;
use crate::shapes;

/// How many of the newest records are looked at, and how many names are told.
const MOST_LOOKED_AT: i64 = 100;
const MOST_TOLD: usize = 100;

pub(crate) async fn get(call: Call) -> Result<Value> {
    let hint = call.map("SuggestionQuery").and_then(|query| query.get("PropertyNameQuery"));
    let hint = hint.and_then(|query| query.get("PropertyNameHint")).and_then(Value::as_str).unwrap_or_default();
    let hint = hint.to_ascii_lowercase();
    let names = match searched(call.required("Resource")) {
        Some(searched) => names(&call, searched).await?,
        None => BTreeSet::new(),
    };
    let told = names.into_iter().filter(|name| name.to_ascii_lowercase().contains(&hint)).take(MOST_TOLD);
    let told: Vec<Value> = told.map(|name| json!({ "PropertyName": name })).collect();
    Ok(json!({ "PropertyNameSuggestions": told }))
}

async fn names(call: &Call, searched: Searched) -> Result<BTreeSet<String>> {
    // What follows the name of one of these is a key, or another member.
    const MAPS: [&str; 5] = ["Tags", "Parameters", "Metrics", "Parents", "Status"];
    let record = searched.record();
    let members = shapes::view(record).iter().filter(|member| !MAPS.contains(&member.as_str()));
    let mut names: BTreeSet<String> = members.cloned().collect();
    let order_by = vec![Order { field: Field::Attribute(Attribute::CreatedAt), direction: Direction::Descending }];
    let query = Query { order_by, window: Window { offset: 0, limit: MOST_LOOKED_AT }, ..Query::default() };
    if searched.is_component() {
        names.extend(["Parents.ExperimentName", "Parents.TrialName", "Status.PrimaryStatus"].map(str::to_owned));
        for component in components(call, query).await?.items {
            let run = component.run;
            names.extend(run.tags.into_iter().map(|tag| format!("Tags.{}", tag.key)));
            names.extend(run.params.into_iter().map(|param| format!("Parameters.{}", param.key)));
            names.extend(run.metrics.into_iter().map(|latest| format!("Metrics.{}", latest.key)));
        }
        return Ok(names);
    }
    for found in records(call, searched, query).await?.0 {
        let found = if record == "Model" { &found[record][record] } else { &found[record] };
        let tags = found["Tags"].as_array().into_iter().flatten();
        names.extend(tags.filter_map(|tag| Some(format!("Tags.{}", tag["Key"].as_str()?))));
    }
    Ok(names)
}
