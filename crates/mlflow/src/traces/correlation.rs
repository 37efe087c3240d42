//! How much more often traces fulfil two filters at once than chance would have it: the normalised pointwise mutual
//! information of the two (Bouma, 2009), from -1 for never together to 1 for always.

use axum::response::Response;
use serde_json::json;
use stele_app::TraceCounts;
use stele_domain::search::{Filter, Query, TraceSearch};

use super::experiment_ids;
use crate::call::{Call, reply};
use crate::error::Result;
use crate::filter::traces::parse_filter;
use crate::input::missing;

/// Added to each count, so that one trace more or less does not mean all or nothing.
const SMOOTHING: f64 = 0.5;

pub(crate) async fn calculate(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiments = input.texts("experiment_ids")?;
    if experiments.is_empty() {
        return Err(missing("experiment_ids"));
    }
    let experiments = experiment_ids(&experiments)?;
    let first = parse_filter(&input.required_text("filter_string1")?)?;
    let second = parse_filter(&input.required_text("filter_string2")?)?;
    let base = parse_filter(&input.text("base_filter")?.unwrap_or_default())?;
    let all = |filters: &[&Filter]| TraceSearch {
        experiments: experiments.clone(),
        query: Query { filter: joined(filters), ..Query::default() },
        after: None,
    };
    // What two filters say of spans need not be true of one span.
    let searches = [all(&[&base]), all(&[&base, &first]), all(&[&base, &second]), all(&[&base, &first, &second])];
    let counts = call.app.trace_counts(&call.ctx, searches).await?;
    let TraceCounts { total, first, second, both } = counts;
    let mut answer = json!({
        "filter1_count": first,
        "filter2_count": second,
        "joint_count": both,
        "total_count": total,
    });
    if let Some(npmi) = npmi(counts, 0.0) {
        answer["npmi"] = npmi.into();
        answer["npmi_smoothed"] = self::npmi(counts, SMOOTHING).unwrap_or(npmi).into();
    } else {
        answer["npmi"] = "NaN".into();
        answer["npmi_smoothed"] = "NaN".into();
    }
    reply(&answer)
}

/// Filters that are each nested, so that conditions on spans of different filters stay apart.
fn joined(filters: &[&Filter]) -> Filter {
    let nested = |filter: &&Filter| match filter {
        Filter::And(_) => (*filter).clone(),
        filter => Filter::And(vec![(*filter).clone()]),
    };
    Filter::And(filters.iter().map(nested).collect())
}

/// None when one of the filters is never fulfilled.
#[expect(clippy::cast_precision_loss, reason = "counts of traces stay far below 2^53")]
fn npmi(counts: TraceCounts, smoothing: f64) -> Option<f64> {
    let TraceCounts { total, first, second, both } = counts;
    if total == 0 || first == 0 || second == 0 {
        return None;
    }
    if smoothing == 0.0 && both == 0 {
        return Some(-1.0);
    }
    if both == first && both == second {
        return Some(1.0);
    }
    // The four ways in which a trace may fulfil the two, each smoothed.
    let cells =
        [both, first - both, second - both, total - first - second + both].map(|count| count as f64 + smoothing);
    let total = cells.iter().sum::<f64>();
    let p = |count: f64| count / total;
    let (joint, first, second) = (p(cells[0]), p(cells[0] + cells[1]), p(cells[0] + cells[2]));
    if joint >= 1.0 {
        return Some(1.0);
    }
    Some(((joint / (first * second)).ln() / -joint.ln()).clamp(-1.0, 1.0))
}
