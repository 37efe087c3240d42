use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stele_app::{AuditExport, AuditFilter, AuditReport, closing_line, write_line};
use stele_domain::Error;
use stele_domain::audit::{AuditEntry, ChainEnd, Faulty, hash_of_hex};
use stele_domain::id::Timestamp;
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, reply};
use super::page::{LIMIT, PAGE_TOKEN};
use super::problem::Problem;
use super::route::Parameter;

pub(super) const LIST: &[Parameter] = &[
    Parameter::text("principal", "Who did it."),
    Parameter::text("action", "What was done, such as run.create; one that ends in a dot stands for all of its kind."),
    Parameter::text("kind", "The kind of what it was done to, such as model version."),
    Parameter::text("object", "The id or name of what it was done to, such as churn/3."),
    Parameter::text("script", "The API that it was asked through: mlflow, sagemaker or native."),
    Parameter::one_of("outcome", &["done", "denied"], "Whether it was done or refused."),
    Parameter::text("request_id", "The id of the request."),
    Parameter::integer("since", 0, i64::MAX, "From this time on, in milliseconds since 1970."),
    Parameter::integer("until", 0, i64::MAX, "Before this time, in milliseconds since 1970."),
    LIMIT,
    PAGE_TOKEN,
];

/// The most ends that one request may name: there is a chain for each connection that ever wrote at once.
const MOST_ENDS: usize = 100_000;

pub(super) async fn list(call: Call) -> Result<Response> {
    let text = |name: &str| call.query.text(name).map(str::to_owned);
    let filter = AuditFilter {
        principal: text("principal"),
        action: text("action"),
        kind: text("kind"),
        object: text("object"),
        script: text("script"),
        outcome: text("outcome"),
        request_id: text("request_id"),
        since: call.query.int("since").map(Timestamp),
        until: call.query.int("until").map(Timestamp),
    };
    let (before, limit) = window(&call)?;
    let page = call.app.audit_list(&call.ctx, filter, before, limit).await?;
    reply(&AuditPageDto::from(page))
}

/// Entries are paged by the id that the page before ended at.
pub(super) fn window(call: &Call) -> Result<(Option<i64>, i64)> {
    let wrong = || Problem::invalid("the page token is none that this server has given");
    let before = call.query.text("page_token").map(|token| token.parse().map_err(|_| wrong())).transpose()?;
    Ok((before, call.query.int("limit").unwrap_or(100)))
}

pub(super) async fn export(call: Call) -> Result<Response> {
    let AuditExport { pages, ends } = call.app.audit_export(&call.ctx).await?;
    let lines = pages.and_then(|entries| async move {
        let mut lines = Vec::new();
        entries.iter().try_for_each(|entry| write_line(entry, &mut lines))?;
        Ok::<_, Error>(Bytes::from(lines))
    });
    let lines = lines.chain(stream::iter([Ok(Bytes::from(closing_line(&ends)))]));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

pub(super) async fn heads(call: Call) -> Result<Response> {
    let ends = call.app.audit_ends(&call.ctx).await?;
    reply(&HeadsDto { at: call.ctx.now().0, ends: ends.into_iter().map(EndDto::from).collect() })
}

pub(super) async fn verify(mut call: Call) -> Result<Response> {
    let NotedDto { ends } = call.json().await?;
    if ends.len() > MOST_ENDS {
        return Err(Problem::invalid(format!("more than {MOST_ENDS} ends are named")));
    }
    let noted = ends.iter().map(EndDto::end).collect::<Result<Vec<_>>>()?;
    let report = call.app.audit_verify(&call.ctx, noted, |_| ()).await?;
    reply(&ReportDto::from(report))
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(super) struct AuditPageDto {
    entries: Vec<EntryDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

impl From<stele_app::AuditPage> for AuditPageDto {
    fn from(page: stele_app::AuditPage) -> AuditPageDto {
        let next_page_token = page.next.map(|id| id.to_string());
        AuditPageDto { entries: page.entries.into_iter().map(EntryDto::from).collect(), next_page_token }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct EntryDto {
    id: i64,
    /// Absent where somebody inserted it without one.
    chain: Option<i64>,
    /// Its place in its chain.
    seq: i64,
    /// Milliseconds since 1970.
    at: i64,
    principal: String,
    script: String,
    address: Option<String>,
    request_id: String,
    action: String,
    kind: String,
    object: String,
    /// The id that a model keeps when it is renamed.
    subject: Option<String>,
    /// `done` or `denied`.
    outcome: String,
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
    /// 64 hex digits.
    hash: String,
}

impl From<AuditEntry> for EntryDto {
    fn from(entry: AuditEntry) -> EntryDto {
        let AuditEntry {
            id,
            chain,
            seq,
            at,
            workspace: _,
            principal,
            script,
            address,
            request_id,
            action,
            kind,
            object,
            subject,
            outcome,
            before,
            after,
            hash,
        } = entry;
        // A text that somebody damaged is shown as the text that it is.
        let state = |text: Option<String>| text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        EntryDto {
            id,
            chain: (chain >= 0).then_some(chain),
            seq,
            at: at.0,
            principal,
            script,
            address,
            request_id,
            action,
            kind,
            object,
            subject,
            outcome,
            before: state(before),
            after: state(after),
            hash: hex::encode(hash),
        }
    }
}

/// Where the chains end, to be kept elsewhere.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditHeads)]
pub(super) struct HeadsDto {
    /// Milliseconds since 1970.
    at: i64,
    ends: Vec<EndDto>,
}

/// Ends of chains that were noted elsewhere; may be empty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotedEnds)]
pub(super) struct NotedDto {
    ends: Vec<EndDto>,
}

/// The newest entry of a chain.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChainEnd)]
pub(super) struct EndDto {
    chain: i64,
    seq: i64,
    /// 64 hex digits.
    hash: String,
}

impl From<(i64, ChainEnd)> for EndDto {
    fn from((chain, ChainEnd { seq, hash }): (i64, ChainEnd)) -> EndDto {
        EndDto { chain, seq, hash: hex::encode(hash) }
    }
}

impl EndDto {
    fn end(&self) -> Result<(i64, ChainEnd)> {
        let EndDto { chain, seq, hash } = self;
        let hash = hash_of_hex(hash)
            .ok_or_else(|| Problem::invalid(format!("the hash of chain {chain} is not of 64 hex digits")))?;
        Ok((*chain, ChainEnd { seq: *seq, hash }))
    }
}

/// What a verification found.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditReport)]
pub(crate) struct ReportDto {
    entries: u64,
    /// Where each chain ends, as far as it is all right.
    ends: Vec<EndDto>,
    /// The first fault of each chain that has one; none if the log is whole.
    faults: Vec<FaultDto>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditFault)]
pub(super) struct FaultDto {
    /// Absent for an entry that belongs to no chain.
    chain: Option<i64>,
    seq: i64,
    /// For people.
    detail: String,
}

impl From<AuditReport> for ReportDto {
    fn from(AuditReport { entries, ends, faults }: AuditReport) -> ReportDto {
        let fault = |faulty: Faulty| FaultDto {
            detail: faulty.to_string(),
            chain: (faulty.chain >= 0).then_some(faulty.chain),
            seq: faulty.seq,
        };
        ReportDto {
            entries,
            ends: ends.into_iter().map(EndDto::from).collect(),
            faults: faults.into_iter().map(fault).collect(),
        }
    }
}
