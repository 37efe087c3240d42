//! What the record reads from spans, whoever made them: MLflow's own attributes, and the conventions of
//! OpenTelemetry for generative AI and of OpenInference.

use serde_json::{Map, Value, json};

use super::{Costs, Tokens};
use crate::otlp::{Any, AnyValue, KeyValue, Span};

pub const TRACE_ID: &str = "mlflow.traceRequestId";
pub const INPUTS: &str = "mlflow.spanInputs";
pub const OUTPUTS: &str = "mlflow.spanOutputs";
pub const SPAN_TYPE: &str = "mlflow.spanType";
pub const TOKENS: &str = "mlflow.chat.tokenUsage";
pub const COSTS: &str = "mlflow.llm.cost";
pub const MODEL: &str = "mlflow.llm.model";
pub const PROVIDER: &str = "mlflow.llm.provider";
/// What a client puts in front of the tags of a trace, which it sends as attributes of the root span.
pub const TAG_PREFIX: &str = "mlflow.traceTag.";

/// Where others put what MLflow calls the inputs of a span, in the order in which they are looked for.
const INPUTS_ELSEWHERE: &[&str] =
    &["gen_ai.input.messages", "gen_ai.prompt", "gen_ai.tool.call.arguments", "input.value", "traceloop.entity.input"];
const OUTPUTS_ELSEWHERE: &[&str] = &[
    "gen_ai.output.messages",
    "gen_ai.completion",
    "gen_ai.tool.call.result",
    "output.value",
    "traceloop.entity.output",
];
const MODEL_ELSEWHERE: &[&str] =
    &["gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "embedding.model_name"];
const PROVIDER_ELSEWHERE: &[&str] = &["gen_ai.provider.name", "gen_ai.system", "llm.provider"];
const SESSION: &[&str] = &["session.id", "gen_ai.conversation.id"];

/// Adds MLflow's attributes to a span that says the same in the words of others; attributes that are there stay.
pub fn translate(span: &mut Span) {
    let mut add = Vec::new();
    if span.text(SPAN_TYPE).is_none_or(|kind| kind == "UNKNOWN")
        && let Some(kind) = type_elsewhere(span)
    {
        span.attributes.retain(|attribute| attribute.key != SPAN_TYPE);
        add.push(KeyValue::new(SPAN_TYPE, AnyValue::text(kind)));
    }
    for (key, elsewhere) in [(INPUTS, INPUTS_ELSEWHERE), (OUTPUTS, OUTPUTS_ELSEWHERE)] {
        if span.attribute(key).is_none()
            && let Some(value) = elsewhere.iter().find_map(|key| span.attribute(key))
        {
            add.push(KeyValue::new(key, structured(value)));
        }
    }
    for (key, elsewhere) in [(MODEL, MODEL_ELSEWHERE), (PROVIDER, PROVIDER_ELSEWHERE)] {
        if span.attribute(key).is_none()
            && let Some(text) = elsewhere.iter().find_map(|key| span.text(key))
        {
            add.push(KeyValue::new(key, AnyValue::text(text)));
        }
    }
    if span.attribute(TOKENS).is_none()
        && let Some(tokens) = tokens_elsewhere(span).and_then(Tokens::to_json)
    {
        add.push(KeyValue::new(TOKENS, AnyValue::of_json(&tokens)));
    }
    span.attributes.extend(add);
}

/// Others send messages as the text of a JSON document.
fn structured(value: &AnyValue) -> AnyValue {
    match &value.value {
        Some(Any::Text(text)) if text.starts_with(['{', '[']) => match serde_json::from_str::<Value>(text) {
            Ok(document) => Some(AnyValue::of_json(&document))
                .filter(|value| value.depth() <= super::DEEPEST_VALUE)
                .unwrap_or_else(|| value.clone()),
            Err(_) => value.clone(),
        },
        _ => value.clone(),
    }
}

fn type_elsewhere(span: &Span) -> Option<&'static str> {
    let openinference = span.text("openinference.span.kind").map(str::to_ascii_uppercase);
    if let Some(kind) = openinference {
        const KINDS: &[&str] =
            &["LLM", "CHAIN", "AGENT", "TOOL", "RETRIEVER", "EMBEDDING", "RERANKER", "GUARDRAIL", "EVALUATOR"];
        return KINDS.iter().find(|known| **known == kind).copied();
    }
    match span.text("gen_ai.operation.name").or_else(|| span.text("traceloop.span.kind"))? {
        "chat" | "generate_content" => Some("CHAT_MODEL"),
        "text_completion" => Some("LLM"),
        "embeddings" => Some("EMBEDDING"),
        "execute_tool" | "tool" => Some("TOOL"),
        "create_agent" | "invoke_agent" | "agent" => Some("AGENT"),
        "workflow" => Some("WORKFLOW"),
        "task" => Some("TASK"),
        _ => None,
    }
}

fn tokens_elsewhere(span: &Span) -> Option<Tokens> {
    let count = |keys: &[&str]| {
        keys.iter().find_map(|key| match span.attribute(key)?.value.as_ref()? {
            Any::Int(count) => Some(*count),
            Any::Text(text) => text.parse().ok(),
            Any::Double(count) => Tokens::of_json(&json!({ "input_tokens": count })).input,
            _ => None,
        })
    };
    let input = count(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"]);
    let output = count(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"]);
    let total = count(&["gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"])
        .or(input.zip(output).map(|(input, output)| input.saturating_add(output)));
    let cache_read = count(&["gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read"]);
    let cache_creation =
        count(&["gen_ai.usage.cache_creation.input_tokens", "llm.token_count.prompt_details.cache_write"]);
    (input.is_some() || output.is_some()).then_some(Tokens { input, output, total, cache_read, cache_creation })
}

/// What a span counts of tokens.
pub fn tokens(span: &Span) -> Option<Tokens> {
    document(span, TOKENS).map(|value| Tokens::of_json(&value))
}

/// What a span says it cost.
pub fn costs(span: &Span) -> Option<Costs> {
    document(span, COSTS).map(|value| Costs::of_json(&value))
}

/// An attribute that is a document, or the text of one.
fn document(span: &Span, key: &str) -> Option<Value> {
    let value = span.attribute(key)?.to_json();
    let value = match value {
        Value::String(text) => serde_json::from_str(&text).ok()?,
        other => other,
    };
    value.is_object().then_some(value)
}

/// The conversation that a span says it is part of.
pub fn session(span: &Span) -> Option<&str> {
    SESSION.iter().find_map(|key| span.text(key)).filter(|session| !session.is_empty())
}

/// The person whose request a span says it answers.
pub fn user(span: &Span) -> Option<&str> {
    span.text("user.id").filter(|user| !user.is_empty())
}

/// The beginning of what a span was given or gave, as people read it: of a conversation its last message of `role`,
/// of anything else its JSON.
pub fn preview(span: &Span, key: &str, role: &str) -> Option<String> {
    const LONGEST: usize = 1_000;
    let value = span.attribute(key)?;
    let text = last_message(&value.to_json(), role).unwrap_or_else(|| value.plain_text());
    Some(cut(&text, LONGEST))
}

fn last_message(value: &Value, role: &str) -> Option<String> {
    let messages = match value {
        Value::Array(messages) => messages,
        Value::Object(fields) => match (fields.get("messages"), fields.get("choices")) {
            (Some(Value::Array(messages)), _) => messages,
            (_, Some(Value::Array(choices))) => return text_of(choices.last()?.get("message")?),
            _ => return None,
        },
        _ => return None,
    };
    let spoken = |message: &&Value| message.get("role").and_then(Value::as_str) == Some(role);
    text_of(messages.iter().rfind(spoken)?)
}

fn text_of(message: &Value) -> Option<String> {
    match message.get("content").or_else(|| message.get("parts"))? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let text = |part: &Value| part.get("text").or_else(|| part.get("content"))?.as_str().map(str::to_owned);
            parts.iter().rev().find_map(text)
        }
        _ => None,
    }
}

/// A text of at most `longest` characters, which ends with dots where it was cut.
pub fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest.saturating_sub(3)).chain("...".chars()).collect(),
    }
}

/// The longest text of an attribute that searches look into, in characters.
const LONGEST_SEARCHED: usize = 4_000;
/// The longest document that searches look into, in bytes.
const LONGEST_DOCUMENT: usize = 32 * 1024;

/// What searches look into: the name, the attributes by key with the text of each, what is told about the status, the names and
/// attributes of events. Long
/// texts are cut, and a span with very many attributes has those that come first.
pub fn searched(span: &Span) -> Value {
    let mut room = LONGEST_DOCUMENT;
    let mut bounded = |attributes: &[KeyValue]| {
        let mut kept = Map::new();
        for KeyValue { key, value } in attributes.iter().filter(|attribute| attribute.key != TRACE_ID) {
            let text = value.as_ref().map(AnyValue::plain_text).unwrap_or_default();
            // PostgreSQL keeps no NUL in a text.
            let text: String = text.replace('\0', "\u{fffd}").chars().take(LONGEST_SEARCHED).collect();
            let size = key.len() + text.len();
            if size <= room {
                room -= size;
                kept.insert(key.replace('\0', "\u{fffd}"), text.into());
            }
        }
        kept
    };
    let mut document = Map::new();
    document.insert("name".to_owned(), cut(&span.name.replace('\0', "\u{fffd}"), LONGEST_SEARCHED).into());
    document.insert("attributes".to_owned(), Value::Object(bounded(&span.attributes)));
    if let Some(status) = span.status.as_ref().filter(|status| !status.message.is_empty()) {
        document.insert("status".to_owned(), cut(&status.message.replace('\0', "\u{fffd}"), LONGEST_SEARCHED).into());
    }
    let events: Vec<Value> = span
        .events
        .iter()
        .take(100)
        .map(|event| json!({ "name": cut(&event.name.replace('\0', "\u{fffd}"), 250), "attributes": bounded(&event.attributes) }))
        .collect();
    if !events.is_empty() {
        document.insert("events".to_owned(), events.into());
    }
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(attributes: &[(&str, Value)]) -> Span {
        let attributes = attributes.iter().map(|(key, value)| KeyValue::new(*key, AnyValue::of_json(value))).collect();
        Span { attributes, ..Span::default() }
    }

    #[test]
    fn the_words_of_others_become_those_of_mlflow() {
        let mut span = span(&[
            ("gen_ai.operation.name", json!("chat")),
            ("gen_ai.request.model", json!("m")),
            ("gen_ai.usage.input_tokens", json!(3)),
            ("gen_ai.usage.output_tokens", json!(4)),
            ("gen_ai.input.messages", json!("[{\"role\": \"user\", \"parts\": [{\"content\": \"hello\"}]}]")),
        ]);
        translate(&mut span);
        assert_eq!(span.text(SPAN_TYPE), Some("CHAT_MODEL"));
        assert_eq!(span.text(MODEL), Some("m"));
        assert_eq!(tokens(&span).and_then(|tokens| tokens.total), Some(7));
        assert_eq!(preview(&span, INPUTS, "user").as_deref(), Some("hello"));
    }

    #[test]
    fn previews_are_cut_and_spaced() {
        let span = span(&[(INPUTS, json!({ "x": [1, 2] })), (OUTPUTS, json!("é".repeat(2_000)))]);
        assert_eq!(preview(&span, INPUTS, "user").as_deref(), Some("{\"x\": [1, 2]}"));
        let cut = preview(&span, OUTPUTS, "assistant").unwrap_or_default();
        assert!(cut.ends_with("é...") && cut.chars().count() == 1_000);
    }

    #[test]
    fn what_searches_look_into_is_bounded() {
        let long = json!("x".repeat(100_000));
        let many: Vec<(String, Value)> = (0..100).map(|index| (format!("k{index}"), long.clone())).collect();
        let many: Vec<(&str, Value)> = many.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        assert!(searched(&span(&many)).to_string().len() < 2 * LONGEST_DOCUMENT);
        assert_eq!(searched(&span(&[("a\0b", json!("\0"))]))["attributes"]["a\u{fffd}b"], "\u{fffd}");
    }
}
