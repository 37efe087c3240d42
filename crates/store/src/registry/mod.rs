//! Models, their versions, stages and aliases.

mod alias;
mod logged_model;
mod model;
mod model_read;
mod model_version;
mod model_version_read;

pub use logged_model::LoggedModelRoot;
pub use model::{ModelHead, NewModel};
pub use model_version::{ModelVersionHead, NewModelVersion};
