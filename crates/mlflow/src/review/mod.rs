//! Issues that were found in traces, questions for reviewers, and queues of traces to review.

pub(crate) mod issues;
pub(crate) mod items;
pub(crate) mod label_schemas;
pub(crate) mod queues;

use stele_domain::search::Window;

use crate::error::{Failure, Result};
use crate::input::Input;
use crate::search::{next_token, window};

const MOST: i64 = 50_000;

/// The window of a list, with `default` things on a page that does not say how many.
fn page(input: &Input, default: i64) -> Result<Window> {
    let limit = input.int("max_results")?.unwrap_or(default);
    if !(1..=MOST).contains(&limit) {
        return Err(Failure::invalid(format!("max_results must be between 1 and {MOST}.")));
    }
    window(input, limit)
}

/// The token of the next page, which is empty after the last one.
fn token(window: Window, more: bool) -> String {
    next_token(window, more).unwrap_or_default()
}
