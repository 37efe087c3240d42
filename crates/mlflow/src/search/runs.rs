use std::hash::{DefaultHasher, Hash, Hasher};

use axum::response::Response;
use stele_domain::lifecycle::RunStatus;
use stele_domain::search::{Attribute, Field, Filter, Query, RunSearch};

use super::{answer, max_results, presences, rewrite, status, window};
use crate::call::{Call, reply};
use crate::dto::{RunView, run_dto, status_name};
use crate::error::Result;
use crate::filter::runs::{parse_filter, parse_order_by};
use crate::page_token;
use crate::validate;

const DEFAULT: i64 = 1_000;
const MOST: i64 = 50_000;

pub(crate) async fn search(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiments = input.texts("experiment_ids")?;
    let filter = input.text("filter")?.unwrap_or_default();
    let limit = max_results(&input, DEFAULT, MOST)?;
    let order_by = input.texts("order_by")?;
    let presences = presences(&input, "run_view_type")?;
    let mut hasher = DefaultHasher::new();
    (&experiments, &filter, &order_by, presences).hash(&mut hasher);
    let fingerprint = hasher.finish();
    let filter = with_record_statuses(parse_filter(&filter)?);
    let order_by = parse_order_by(&order_by)?;
    let window = window(&input, limit)?;
    let experiments = experiments.iter().map(|id| validate::experiment_id(id)).collect::<Result<Vec<_>>>()?;
    let after = page_token::end(input.text("page_token")?.as_deref(), fingerprint);
    let search =
        RunSearch { experiments: experiments.into(), presences, query: Query { filter, order_by, window }, after };
    let page = call.app.run_search(&call.ctx, search).await?;
    let offset = usize::try_from(window.offset.saturating_add(window.limit)).unwrap_or(usize::MAX);
    let next = page.more.then(|| page_token::encode_with_end(offset, page.end.as_ref(), fingerprint));
    reply(&answer("runs", page.items.into_iter().map(|run| run_dto(run, RunView::Row)), next))
}

fn with_record_statuses(filter: Filter) -> Filter {
    rewrite(filter, &|field, predicate| match field {
        Field::Attribute(Attribute::Status) => {
            let names = RunStatus::ALL.iter().map(|status| (status_name(*status).to_owned(), status.as_str()));
            status::translated(&predicate, names)
        }
        field => Filter::Test(field, predicate),
    })
}
