//! Gates with their versions, what they rest on, and what they answered.

mod document;
mod evaluation;
mod evidence;
mod exception;
mod gate;
mod measured_run;
mod review;
mod verdict;

pub use document::Reading;
pub use evaluation::NewEvaluation;
pub use evidence::LastInProduction;
pub use gate::GateRecord;
pub(crate) use measured_run::EVALUATED_TAG;
pub use review::{Review, ReviewKind};
pub use verdict::VerdictRecord;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stele_domain::{Error, Result};

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(format!("governance cannot be written: {error}")))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::internal(format!("stored governance cannot be read: {error}")))
}
