//! What the commands that list share.

use clap::Args;
use serde_json::{Map, Value};

use super::client::Client;
use super::{Output, human};

/// The most that the native API gives at once.
const PAGE: usize = 1_000;

#[derive(Args)]
pub(super) struct Limit {
    /// How many to show at most
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "COUNT")]
    limit: u32,
}

/// Whether what is in the trash is shown.
#[derive(Args)]
pub(super) struct Trash {
    /// Show what is in the trash instead
    #[arg(long, conflicts_with = "with_deleted")]
    deleted: bool,

    /// Show what is in the trash as well
    #[arg(long)]
    with_deleted: bool,
}

impl Trash {
    pub(super) fn presence(&self) -> &'static str {
        match (self.deleted, self.with_deleted) {
            (true, _) => "deleted",
            (false, true) => "all",
            (false, false) => "active",
        }
    }
}

/// The first things of a list, and whether there are more.
pub(super) struct Listed {
    name: &'static str,
    pub(super) items: Vec<Value>,
    more: bool,
}

/// Reads page after page until there are enough. `name` is what the API calls the things.
pub(super) async fn list(
    client: &Client,
    name: &'static str,
    path: &[&str],
    query: &[(&str, &str)],
    limit: &Limit,
) -> anyhow::Result<Listed> {
    let wanted = limit.limit as usize;
    let mut items = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let size = (wanted - items.len()).min(PAGE).to_string();
        let mut query: Vec<(&str, &str)> = query.iter().filter(|(_, value)| !value.is_empty()).copied().collect();
        query.push(("limit", &size));
        if let Some(token) = &token {
            query.push(("page_token", token));
        }
        let mut page: Map<String, Value> = client.get(path, &query).await?;
        if let Some(Value::Array(found)) = page.remove(name) {
            items.extend(found);
        }
        token = page.get("next_page_token").and_then(Value::as_str).map(str::to_owned);
        if token.is_none() || items.len() >= wanted {
            return Ok(Listed { name, items, more: token.is_some() });
        }
    }
}

impl Listed {
    /// Prints the list as a program wants it.
    pub(super) fn json(&self, output: &Output) -> anyhow::Result<()> {
        output.json(&serde_json::json!({ self.name: self.items, "more": self.more }))
    }

    /// Tells a person what the table does not say.
    pub(super) fn comment(&self, output: &Output, thing: &str) {
        if self.items.is_empty() {
            output.say(format_args!("there are no {} to show", human::plural(thing)));
        } else if self.more {
            let shown = human::count(self.items.len(), thing);
            output.say(format_args!("these are the first {shown}; --limit shows more"));
        }
    }

    /// The things as tables show them.
    pub(super) fn views<T: serde::de::DeserializeOwned>(&self) -> anyhow::Result<Vec<T>> {
        Ok(self.items.iter().map(|item| T::deserialize(item)).collect::<Result<_, _>>()?)
    }
}
