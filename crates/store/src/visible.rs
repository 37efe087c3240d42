//! How statements leave out what may not be seen. Those who see the whole workspace get the statement without it.

use stele_domain::authz::Visibility;

use crate::Tx;
use crate::engine::{Value, list};

impl Tx<'_> {
    /// A condition, with the ` AND ` before it, that `column` is an experiment that is seen. Its value joins `values`.
    pub(crate) fn and_experiment_seen(&self, visible: &Visibility, column: &str, values: &mut Vec<Value>) -> String {
        let Some(experiments) = visible.extent().experiments() else { return String::new() };
        values.push(list(experiments.iter().map(|id| id.0)));
        format!(" AND {column} {}", self.is_one_of_ints(values.len()))
    }

    /// As [`Tx::and_experiment_seen`], for a column with the name of a model.
    pub(crate) fn and_model_seen(&self, visible: &Visibility, column: &str, values: &mut Vec<Value>) -> String {
        let Some(models) = visible.extent().models() else { return String::new() };
        values.push(list(models.iter().map(String::as_str)));
        format!(" AND {column} {}", self.is_one_of_texts(values.len()))
    }
}
