//! The page token of the logged-model search. It holds the search that it continues, and fits no other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::error::{Failure, Result};
use crate::python::{json_dumps, repr, repr_list};

/// One page further into a search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PageToken {
    pub(crate) experiment_ids: Vec<String>,
    pub(crate) filter: Option<String>,
    /// None when the search has no order of its own, also for an empty list.
    pub(crate) order_by: Option<Vec<TokenOrder>>,
    pub(crate) offset: usize,
}

/// One key of an order, as the request has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenOrder {
    pub(crate) field_name: String,
    pub(crate) ascending: bool,
    pub(crate) dataset_name: Option<String>,
    pub(crate) dataset_digest: Option<String>,
}

impl PageToken {
    pub(crate) fn encode(&self) -> String {
        let order_by = self.order_by.as_ref().map_or_else(
            || "null".to_owned(),
            |order| format!("[{}]", order.iter().map(TokenOrder::json).collect::<Vec<_>>().join(", ")),
        );
        // The fields stand as MLflow writes them, which sorted JSON would not keep.
        STANDARD.encode(format!(
            "{{\"experiment_ids\": {}, \"filter_string\": {}, \"order_by\": {order_by}, \"offset\": {}}}",
            json_dumps(&json!(self.experiment_ids)),
            json_dumps(&json!(self.filter)),
            self.offset
        ))
    }

    /// The offset in a token for the search that `wanted` describes; its own offset does not count.
    pub(crate) fn offset_for(token: &str, wanted: &PageToken) -> Result<usize> {
        let broken = || Failure::invalid(format!("Invalid page token: {token}"));
        let bytes = STANDARD.decode(token).map_err(|_| broken())?;
        let fields: Value = serde_json::from_slice(&bytes).map_err(|_| broken())?;
        let ids = match &fields["experiment_ids"] {
            Value::Null => None,
            Value::Array(ids) => Some(
                ids.iter().map(|id| id.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>().ok_or_else(broken)?,
            ),
            _ => return Err(broken()),
        };
        if ids.as_ref() != Some(&wanted.experiment_ids) {
            return Err(mismatch(
                "Experiment IDs",
                "experiment IDs",
                &repr_list(&wanted.experiment_ids),
                &ids.map_or_else(|| "None".to_owned(), |ids| repr_list(&ids)),
            ));
        }
        let filter = fields["filter_string"].as_str().filter(|filter| !filter.is_empty());
        if filter != wanted.filter.as_deref() {
            let wanted = wanted.filter.as_deref().unwrap_or("None");
            return Err(mismatch("Filter string", "filter string", wanted, filter.unwrap_or("None")));
        }
        let order_by = match &fields["order_by"] {
            Value::Array(orders) if !orders.is_empty() => {
                Some(orders.iter().map(TokenOrder::read).collect::<Option<Vec<_>>>().ok_or_else(broken)?)
            }
            _ => None,
        };
        if order_by != wanted.order_by {
            return Err(mismatch("Order by", "order by", &printed(&wanted.order_by), &printed(&order_by)));
        }
        match &fields["offset"] {
            Value::Null => Ok(0),
            offset => offset.as_u64().and_then(|offset| usize::try_from(offset).ok()).ok_or_else(broken),
        }
    }
}

fn mismatch(what: &str, requested: &str, expected: &str, found: &str) -> Failure {
    let verb = if what.ends_with('s') { "do" } else { "does" };
    Failure::invalid(format!(
        "{what} in the page token {verb} not match the requested {requested}. Expected: {expected}. Found: {found}"
    ))
}

fn printed(order_by: &Option<Vec<TokenOrder>>) -> String {
    match order_by {
        None => "None".to_owned(),
        Some(order) => format!("[{}]", order.iter().map(TokenOrder::repr).collect::<Vec<_>>().join(", ")),
    }
}

impl TokenOrder {
    fn read(value: &Value) -> Option<TokenOrder> {
        Some(TokenOrder {
            field_name: value["field_name"].as_str()?.to_owned(),
            ascending: value["ascending"].as_bool()?,
            dataset_name: value["dataset_name"].as_str().map(str::to_owned),
            dataset_digest: value["dataset_digest"].as_str().map(str::to_owned),
        })
    }

    fn json(&self) -> String {
        format!(
            "{{\"field_name\": {}, \"ascending\": {}, \"dataset_name\": {}, \"dataset_digest\": {}}}",
            json_dumps(&json!(self.field_name)),
            self.ascending,
            json_dumps(&json!(self.dataset_name)),
            json_dumps(&json!(self.dataset_digest))
        )
    }

    /// As Python prints the dictionary.
    fn repr(&self) -> String {
        let optional = |text: &Option<String>| text.as_deref().map_or_else(|| "None".to_owned(), repr);
        format!(
            "{{'field_name': {}, 'ascending': {}, 'dataset_name': {}, 'dataset_digest': {}}}",
            repr(&self.field_name),
            if self.ascending { "True" } else { "False" },
            optional(&self.dataset_name),
            optional(&self.dataset_digest)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search() -> PageToken {
        PageToken { experiment_ids: vec!["0".to_owned()], filter: None, order_by: None, offset: 1 }
    }

    fn ordered() -> PageToken {
        let order = TokenOrder {
            field_name: "name".to_owned(),
            ascending: false,
            dataset_name: Some("it's".to_owned()),
            dataset_digest: None,
        };
        PageToken { filter: Some("name = 'é'".to_owned()), order_by: Some(vec![order]), offset: 20, ..search() }
    }

    #[test]
    fn a_token_reads_as_mlflow_writes_it() {
        let text = STANDARD.decode(search().encode()).unwrap();
        let expected = r#"{"experiment_ids": ["0"], "filter_string": null, "order_by": null, "offset": 1}"#;
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn a_token_gives_its_offset_back_to_its_own_search() {
        for token in [search(), ordered()] {
            assert_eq!(PageToken::offset_for(&token.encode(), &token).unwrap(), token.offset);
        }
    }

    #[test]
    fn a_token_of_another_search_is_refused() {
        let refusal =
            |token: &PageToken, wanted: &PageToken| PageToken::offset_for(&token.encode(), wanted).unwrap_err();
        let other = PageToken { experiment_ids: vec!["1".to_owned(), "2".to_owned()], ..search() };
        assert_eq!(
            refusal(&search(), &other),
            Failure::invalid(
                "Experiment IDs in the page token do not match the requested experiment IDs. \
                 Expected: ['1', '2']. Found: ['0']"
            )
        );
        let filtered = PageToken { filter: Some("name = 'n'".to_owned()), ..search() };
        assert_eq!(
            refusal(&search(), &filtered),
            Failure::invalid(
                "Filter string in the page token does not match the requested filter string. \
                 Expected: name = 'n'. Found: None"
            )
        );
        let unordered = PageToken { order_by: None, ..ordered() };
        assert_eq!(
            refusal(&unordered, &ordered()),
            Failure::invalid(
                "Order by in the page token does not match the requested order by. Expected: [{'field_name': 'name', \
                 'ascending': False, 'dataset_name': \"it's\", 'dataset_digest': None}]. Found: None"
            )
        );
    }

    #[test]
    fn nonsense_is_no_token() {
        for token in ["zzz", "abc!", "bnVsbA==", "e30=", "W10="] {
            assert!(PageToken::offset_for(token, &search()).is_err(), "{token}");
        }
    }
}
