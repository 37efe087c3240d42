use serde_json::Value;

use crate::id::Timestamp;
use crate::record::Tag;

/// What somebody or something thinks of a trace, or what the answer should have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    pub id: String,
    pub name: String,
    pub value: AssessmentValue,
    pub source: AssessmentSource,
    pub rationale: Option<String>,
    pub metadata: Vec<Tag>,
    /// The span that it is about, when it is not about the whole trace.
    pub span_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The assessment that this one corrects.
    pub overrides: Option<String>,
    /// Whether no other one corrects it.
    pub valid: bool,
    /// Whether it is about the whole session of the trace.
    pub of_session: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AssessmentValue {
    Feedback(Judgement),
    /// What should have come out.
    Expectation(Value),
    /// The assessment links the trace to an issue, whose id is the name of the assessment; this is the issue's name.
    Issue(String),
}

/// A judgement, or why there is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    pub value: Value,
    /// A document with the code, message and stack trace.
    pub error: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssessmentSource {
    /// Such as `HUMAN`, `LLM_JUDGE` or `CODE`.
    pub kind: String,
    pub id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssessmentKind {
    Feedback,
    Expectation,
    Issue,
}

impl AssessmentKind {
    pub fn as_str(self) -> &'static str {
        match self {
            AssessmentKind::Feedback => "feedback",
            AssessmentKind::Expectation => "expectation",
            AssessmentKind::Issue => "issue",
        }
    }
}

/// What a change of an assessment replaces; metadata is added to what is there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AssessmentChange {
    pub name: Option<String>,
    pub value: Option<AssessmentValue>,
    pub rationale: Option<String>,
    pub metadata: Vec<Tag>,
}

impl AssessmentValue {
    pub fn kind(&self) -> AssessmentKind {
        match self {
            AssessmentValue::Feedback(_) => AssessmentKind::Feedback,
            AssessmentValue::Expectation(_) => AssessmentKind::Expectation,
            AssessmentValue::Issue(_) => AssessmentKind::Issue,
        }
    }

    /// The value as JSON.
    pub fn json(&self) -> Value {
        match self {
            AssessmentValue::Feedback(judgement) => judgement.value.clone(),
            AssessmentValue::Expectation(value) => value.clone(),
            AssessmentValue::Issue(name) => name.clone().into(),
        }
    }

    /// The value as a number to compare with, when it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            AssessmentValue::Feedback(Judgement { value, .. }) | AssessmentValue::Expectation(value) => value.as_f64(),
            AssessmentValue::Issue(_) => None,
        }
    }

    /// The value as a number to average: yes and true count 1, no and false 0.
    pub fn score(&self) -> Option<f64> {
        let value = self.json();
        match (&value, self.kind()) {
            (_, AssessmentKind::Issue) => None,
            (Value::Bool(value), _) => Some(f64::from(u8::from(*value))),
            (Value::String(text), _) if text.trim().eq_ignore_ascii_case("yes") => Some(1.0),
            (Value::String(text), _) if text.trim().eq_ignore_ascii_case("no") => Some(0.0),
            (value, _) => value.as_f64(),
        }
    }
}
