use serde::{Deserialize, Serialize};

use super::check_most;
use crate::id::{ExperimentId, Timestamp};
use crate::{Error, Result};

const MOST_NAME: usize = 250;
const MOST_INSTRUCTION: usize = 1_000;
const MOST_OPTIONS: usize = 10;
const MOST_LABEL: usize = 64;

/// The question that every experiment has, which cannot be changed.
pub const DEFAULT_NAME: &str = "Feedback";
pub const DEFAULT_INSTRUCTION: &str = "Share any feedback on this trace.";

/// A question about traces, with the way in which reviewers answer it. The answers are assessments with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelSchema {
    pub id: String,
    pub experiment: ExperimentId,
    pub name: String,
    pub kind: LabelKind,
    pub input: LabelInput,
    pub instruction: Option<String>,
    /// Whether reviewers may add a comment.
    pub has_comment: bool,
    pub is_default: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelKind {
    Feedback,
    Expectation,
}

/// How a question is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelInput {
    PassFail { positive: String, negative: String },
    Categorical { options: Vec<String>, multi_select: bool },
    Numeric { min: Option<f64>, max: Option<f64> },
    Text { max_length: Option<i64> },
}

/// What of a question becomes another; what is none stays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelSchemaChange {
    pub name: Option<String>,
    pub instruction: Option<String>,
    pub has_comment: Option<bool>,
    pub input: Option<LabelInput>,
}

impl LabelSchema {
    /// The question that every experiment has.
    pub fn default_of(experiment: ExperimentId, id: String, now: Timestamp) -> LabelSchema {
        LabelSchema {
            id,
            experiment,
            name: DEFAULT_NAME.to_owned(),
            kind: LabelKind::Feedback,
            input: LabelInput::Text { max_length: None },
            instruction: Some(DEFAULT_INSTRUCTION.to_owned()),
            has_comment: false,
            is_default: true,
            created_at: now,
            updated_at: now,
        }
    }

    /// Refuses a question that is to be made when it breaks a rule.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        check_instruction(self.instruction.as_deref())?;
        self.input.check()
    }

    /// Refuses a question from elsewhere when it breaks a rule. Its name may be one that is given to no other any more.
    pub fn check_loaded(&self) -> Result<()> {
        check_name_length(&self.name)?;
        check_instruction(self.instruction.as_deref())?;
        self.input.check()
    }

    /// Makes a change, at a time. What answers already mean must stay: the way in which they are given is fixed but
    /// for its details.
    pub fn apply(&mut self, change: LabelSchemaChange, now: Timestamp) -> Result<()> {
        if self.is_default {
            return Err(Error::invalid("The experiment's default question cannot be edited."));
        }
        let LabelSchemaChange { name, instruction, has_comment, input } = change;
        if let Some(name) = name {
            check_name(&name)?;
            self.name = name;
        }
        if let Some(instruction) = instruction {
            check_instruction(Some(&instruction))?;
            self.instruction = Some(instruction);
        }
        self.has_comment = has_comment.unwrap_or(self.has_comment);
        if let Some(input) = input {
            input.check()?;
            self.input.check_replacement(&input)?;
            self.input = input;
        }
        self.updated_at = now.after(self.updated_at);
        Ok(())
    }
}

impl LabelKind {
    pub fn as_str(self) -> &'static str {
        match self {
            LabelKind::Feedback => "feedback",
            LabelKind::Expectation => "expectation",
        }
    }

    pub fn parse(name: &str) -> Option<LabelKind> {
        [LabelKind::Feedback, LabelKind::Expectation].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl LabelInput {
    /// As clients name it.
    fn name(&self) -> &'static str {
        match self {
            LabelInput::PassFail { .. } => "InputPassFail",
            LabelInput::Categorical { .. } => "InputCategorical",
            LabelInput::Numeric { .. } => "InputNumeric",
            LabelInput::Text { .. } => "InputText",
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            LabelInput::PassFail { positive, negative } => check_pass_fail(positive, negative),
            LabelInput::Categorical { options, .. } => check_options(options),
            LabelInput::Numeric { min, max } => check_range(*min, *max),
            LabelInput::Text { max_length: Some(most) } if *most < 1 => {
                Err(Error::invalid(format!("`InputText.max_length` must be at least 1; got {most}.")))
            }
            LabelInput::Text { .. } => Ok(()),
        }
    }

    fn check_replacement(&self, new: &LabelInput) -> Result<()> {
        match (self, new) {
            (LabelInput::Categorical { multi_select: old, .. }, LabelInput::Categorical { multi_select: new, .. })
                if old != new =>
            {
                Err(Error::invalid("`InputCategorical.multi_select` cannot be changed after creation."))
            }
            (old, new) if old.name() != new.name() => Err(Error::invalid(format!(
                "A label schema's input type cannot be changed after creation (existing: {}, got: {}).",
                old.name(),
                new.name()
            ))),
            _ => Ok(()),
        }
    }
}

fn check_name(name: &str) -> Result<()> {
    check_name_length(name)?;
    if name.trim().to_lowercase() == DEFAULT_NAME.to_lowercase() {
        return Err(Error::invalid(format!(
            "`{name}` is reserved for the experiment's default question and cannot be used for another label schema."
        )));
    }
    Ok(())
}

fn check_name_length(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("Label schema `name` must be a non-empty string; got ''."));
    }
    let length = name.chars().count();
    if length > MOST_NAME {
        return Err(Error::invalid(format!(
            "Label schema `name` must be at most {MOST_NAME} characters; got {length}."
        )));
    }
    Ok(())
}

fn check_instruction(instruction: Option<&str>) -> Result<()> {
    match instruction.map_or(0, |text| text.chars().count()) {
        length if length > MOST_INSTRUCTION => Err(Error::invalid(format!(
            "Label schema `instruction` must be at most {MOST_INSTRUCTION} characters; got {length}."
        ))),
        _ => Ok(()),
    }
}

fn check_pass_fail(positive: &str, negative: &str) -> Result<()> {
    for (field, label) in [("positive_label", positive), ("negative_label", negative)] {
        if label.is_empty() {
            return Err(Error::invalid(format!("`InputPassFail.{field}` must be a non-empty string; got ''.")));
        }
        check_most(&format!("InputPassFail.{field}"), label, MOST_LABEL)?;
    }
    if positive == negative {
        return Err(Error::invalid(format!(
            "`InputPassFail.positive_label` and `negative_label` must be distinct; got '{positive}' for both."
        )));
    }
    Ok(())
}

fn check_options(options: &[String]) -> Result<()> {
    if options.is_empty() {
        return Err(Error::invalid("`InputCategorical.options` must be a non-empty list; got []."));
    }
    if options.len() > MOST_OPTIONS {
        let length = options.len();
        return Err(Error::invalid(format!(
            "`InputCategorical.options` must have at most {MOST_OPTIONS} entries; got {length}."
        )));
    }
    for (index, option) in options.iter().enumerate() {
        if option.is_empty() {
            return Err(Error::invalid("`InputCategorical.options` entries must be non-empty strings; got ''."));
        }
        let length = option.chars().count();
        if length > MOST_LABEL {
            return Err(Error::invalid(format!(
                "`InputCategorical.options` entries must be at most {MOST_LABEL} characters; got {length}."
            )));
        }
        if options[..index].contains(option) {
            return Err(Error::invalid(format!(
                "`InputCategorical.options` must be deduplicated; '{option}' appears twice."
            )));
        }
    }
    Ok(())
}

fn check_range(min: Option<f64>, max: Option<f64>) -> Result<()> {
    for (field, bound) in [("min_value", min), ("max_value", max)] {
        if let Some(bound) = bound.filter(|bound| !bound.is_finite()) {
            return Err(Error::invalid(format!("`InputNumeric.{field}` must be a finite number; got {bound}.")));
        }
    }
    match (min, max) {
        (Some(min), Some(max)) if min >= max => Err(Error::invalid(format!(
            "`InputNumeric.min_value` must be strictly less than `max_value`; got min={min:?}, max={max:?}."
        ))),
        _ => Ok(()),
    }
}
