//! Requests, and what they ask of the database, as spans that are sent to a collector by OTLP.
//!
//! Spans are those of `tracing` with the target [`SPANS`], which no filter of the log looks at. Without a collector
//! nobody wants them, and they cost a comparison.

use anyhow::Result;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, StatusCode};
use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use stele_store::SPANS;
use tracing::{Span, Subscriber, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use super::requests::path_of;
use crate::cli::Failure;
use crate::client_address::ClientAddress;

const PATH: &str = "/v1/traces";
/// Collectors and probes ask for these all the time. A server that is its own collector would never be done with the
/// first.
const UNTOLD: [&str; 3] = [PATH, "/health", "/metrics"];
const LONGEST_TARGET: usize = 128;

/// Where spans go while the server runs.
pub(crate) struct Spans(SdkTracerProvider);

impl Spans {
    /// Spans to the collector at `endpoint`, the URL that `/v1/traces` is below. What else there is to say about them is
    /// in the variables that OpenTelemetry has for it, such as `OTEL_TRACES_SAMPLER` and `OTEL_EXPORTER_OTLP_HEADERS`.
    pub(crate) fn to(endpoint: &str) -> Result<Spans> {
        let endpoint = format!("{}{PATH}", endpoint.trim_end_matches('/').trim_end_matches(PATH));
        let exporter = SpanExporter::builder().with_http().with_endpoint(&endpoint).build().map_err(|error| {
            Failure::usage(format!("spans cannot be sent to {endpoint}: {error}"))
                .hint("--otlp-endpoint wants the URL of a collector, such as http://127.0.0.1:4318")
        })?;
        let mut resource =
            Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        if std::env::var_os("OTEL_SERVICE_NAME").is_none_or(|name| name.is_empty()) {
            resource = resource.with_service_name("stele");
        }
        Ok(Spans(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build()))
    }

    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("stele"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(SPANS, LevelFilter::DEBUG))
    }

    /// Sends what has not been sent yet.
    pub(crate) fn finish(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// The span of a request, in the trace that its client says it is in.
pub(super) fn begin(request: &Request, method: &'static str, id: &str) -> Span {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if UNTOLD.contains(&route.unwrap_or_default()) {
        return Span::none();
    }
    let span = tracing::debug_span!(
        target: SPANS,
        "request",
        otel.name = field::Empty,
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        url.path = field::Empty,
        rpc.method = field::Empty,
        client.address = field::Empty,
        stele.request_id = id,
    );
    if span.is_disabled() {
        return span;
    }
    span.record("otel.name", route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}")));
    span.record("url.path", path_of(request));
    if let Some(operation) = operation(request.headers()) {
        span.record("rpc.method", operation);
    }
    if let Some(ClientAddress(address)) = request.extensions().get::<ClientAddress>() {
        span.record("client.address", field::display(address));
    }
    let parent = TraceContextPropagator::new().extract(&Headers(request.headers()));
    // Fails only where nobody takes spans.
    let _ = span.set_parent(parent);
    span
}

pub(super) fn end(span: &Span, status: StatusCode, failed: bool) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if failed {
        span.record("otel.status_code", "ERROR");
    }
}

/// What clients of AWS ask for, who all ask at one path.
fn operation(headers: &HeaderMap) -> Option<&str> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    (target.len() <= LONGEST_TARGET).then_some(target)
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
