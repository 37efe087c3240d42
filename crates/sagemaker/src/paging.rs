//! Pages, sorting and the filters that lists have in common.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use stele_domain::search::{
    Attribute, Comparison, Direction, DocumentPath, Field, Filter, Order, Page, Predicate, Query, Window,
};

use crate::call::Call;
use crate::error::{Failure, Result};

/// How many things a page has when the client does not say.
const DEFAULT_PAGE: i64 = 100;

impl Call {
    /// The part of the list that is asked for, with `page` things unless the client says how many. A token is good for
    /// the list that it came from, at any size of page.
    pub(crate) fn window_of(&self, page: i64) -> Result<Window> {
        let limit = self.int("MaxResults").unwrap_or(page).clamp(1, 1_000);
        let Some(token) = self.text("NextToken") else { return Ok(Window { offset: 0, limit }) };
        let offset = self.read_token(token).ok_or_else(|| Failure::validation("The NextToken is invalid."))?;
        Ok(Window { offset, limit })
    }

    pub(crate) fn window(&self) -> Result<Window> {
        self.window_of(DEFAULT_PAGE)
    }

    fn read_token(&self, token: &str) -> Option<i64> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (digest, offset) = text.split_once(':')?;
        let offset = offset.parse().ok().filter(|offset| *offset >= 0)?;
        (digest == self.digest()).then_some(offset)
    }

    pub(crate) fn token(&self, window: Window) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}:{}", self.digest(), window.offset + window.limit))
    }

    /// What tells one list from another.
    fn digest(&self) -> String {
        let asked = self.asks(&["NextToken", "MaxResults"]);
        let digest = Sha256::digest(format!("{}{asked}", self.name));
        hex::encode(&digest[..8])
    }

    /// An answer with a page of things under `member`.
    pub(crate) fn page_reply(&self, member: &str, items: Vec<Value>, more: bool, window: Window) -> Value {
        let mut reply = Map::new();
        reply.insert(member.to_owned(), Value::Array(items));
        if more {
            reply.insert("NextToken".to_owned(), self.token(window).into());
        }
        Value::Object(reply)
    }

    /// One page of a list that is in memory.
    pub(crate) fn page_of_all(&self, member: &str, items: Vec<Value>) -> Result<Value> {
        let window = self.window()?;
        let rest = items.into_iter().skip(usize::try_from(window.offset).unwrap_or(usize::MAX));
        let page = Page::of(rest.collect(), window);
        Ok(self.page_reply(member, page.items, page.more, window))
    }

    /// The direction asked for, or the documented one.
    pub(crate) fn direction(&self) -> Direction {
        match self.text("SortOrder").or(self.operation.sort_order.as_deref()) {
            Some("Ascending") => Direction::Ascending,
            Some(_) => Direction::Descending,
            // Documented in prose only: the lists of experiments and of lineage begin with what is new, those of cards
            // with what is old.
            None if self.name == "ListModelCards" => Direction::Ascending,
            None => Direction::Descending,
        }
    }

    /// The order asked for. `others` are attributes to sort by besides name and times.
    pub(crate) fn order(&self, others: &[(&str, Field)]) -> Vec<Order> {
        let by = self.text("SortBy").or(self.operation.sort_by.as_deref()).unwrap_or("CreationTime");
        let field = match by {
            "Name" | "ModelArn" => Field::Attribute(Attribute::Name),
            "LastModifiedTime" => Field::Attribute(Attribute::UpdatedAt),
            "Version" => Field::Attribute(Attribute::VersionNumber),
            by => others
                .iter()
                .find(|(name, _)| *name == by)
                .map_or(Field::Attribute(Attribute::CreatedAt), |o| o.1.clone()),
        };
        vec![Order { field, direction: self.direction() }]
    }

    /// The filters by name and time that lists have in common.
    pub(crate) fn common_filters(&self) -> Vec<Filter> {
        let mut filters = Vec::new();
        if let Some(part) = self.text("NameContains") {
            filters.push(test(Attribute::Name, Predicate::Contains(part.to_owned())));
        }
        let times = [
            ("CreationTimeAfter", Attribute::CreatedAt, Comparison::Greater),
            ("CreatedAfter", Attribute::CreatedAt, Comparison::Greater),
            ("CreationTimeBefore", Attribute::CreatedAt, Comparison::Less),
            ("CreatedBefore", Attribute::CreatedAt, Comparison::Less),
            ("LastModifiedTimeAfter", Attribute::UpdatedAt, Comparison::Greater),
            ("LastModifiedTimeBefore", Attribute::UpdatedAt, Comparison::Less),
        ];
        for (member, attribute, comparison) in times {
            if let Some(time) = self.time(member) {
                #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
                let milliseconds = time.0 as f64;
                filters.push(test(attribute, Predicate::Number(comparison, milliseconds)));
            }
        }
        filters
    }

    /// A query with the common filters, `more` filters, and the order and page asked for.
    pub(crate) fn list_query(&self, more: Vec<Filter>) -> Result<Query> {
        let mut filters = self.common_filters();
        filters.extend(more);
        Ok(Query { filter: Filter::And(filters), order_by: self.order(&[]), window: self.window()? })
    }
}

pub(crate) fn test(attribute: Attribute, predicate: Predicate) -> Filter {
    Filter::Test(Field::Attribute(attribute), predicate)
}

pub(crate) fn equals(attribute: Attribute, value: impl Into<String>) -> Filter {
    test(attribute, Predicate::Text(Comparison::Equal, value.into()))
}

/// A test of a member of the document that was kept.
pub(crate) fn kept_equals(path: &[&str], value: impl Into<String>) -> Filter {
    let path = DocumentPath(path.iter().map(|name| (*name).to_owned()).collect());
    Filter::Test(Field::Document(path), Predicate::Text(Comparison::Equal, value.into()))
}

/// An empty answer.
pub(crate) fn nothing() -> Value {
    json!({})
}
