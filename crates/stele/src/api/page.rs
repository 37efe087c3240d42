//! Pages of lists: a token says where its page ended in the order, so that the next page costs what the first one did,
//! and what is added or deleted meanwhile moves nothing.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use stele_domain::search::{
    Attribute, Comparison, Direction, Field, Filter, Order, Predicate, Presences, SortValue, Window,
};
use stele_mlflow::shared::{values_of_json, values_to_json};

use super::Result;
use super::call::Call;
use super::problem::Problem;
use super::route::Parameter;

const USUAL: i64 = 100;
const MOST: i64 = 1_000;

/// Each may put a long text into the token, which has to fit into a URL.
const MOST_ORDERS: usize = 4;

pub(super) const LIMIT: Parameter = Parameter::integer("limit", 1, MOST, "How many at most; 100 unless given.");
pub(super) const PAGE_TOKEN: Parameter =
    Parameter::text("page_token", "What the page before gave as next_page_token; all else must be as it was.");
pub(super) const FILTER: Parameter = Parameter::text(
    "filter",
    "A condition in MLflow's filter language, such as metrics.loss < 0.3 and tags.team = 'a'.",
);
pub(super) const ORDER_BY: Parameter = Parameter::text(
    "order_by",
    "Up to four keys, with commas between them, such as metrics.loss asc, start_time desc.",
);
pub(super) const PRESENCE: Parameter = Parameter::one_of(
    "presence",
    &["active", "deleted", "all"],
    "What is in use (so unless given), in the trash, or both.",
);

/// What a list is asked for besides its filter.
pub(super) struct Paging {
    /// Of the request but for its limit and token, so that a token is not used for another list.
    fingerprint: u64,
    limit: i64,
    /// Where the page before ended.
    pub(super) after: Option<Vec<SortValue>>,
}

impl Paging {
    pub(super) fn read(call: &Call, path: &str) -> Result<Paging> {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        for parameter in call.query.all().filter(|(name, _)| !matches!(*name, "limit" | "page_token")) {
            parameter.hash(&mut hasher);
        }
        let fingerprint = hasher.finish();
        let after = call.query.text("page_token").map(|token| read_token(token, fingerprint)).transpose()?;
        Ok(Paging { fingerprint, limit: call.query.int("limit").unwrap_or(USUAL), after })
    }

    pub(super) fn window(&self) -> Window {
        Window { offset: 0, limit: self.limit }
    }

    /// The token for the page after the one that ended at these values.
    pub(super) fn token(&self, end: &[SortValue]) -> String {
        URL_SAFE_NO_PAD.encode(json!([format!("{:016x}", self.fingerprint), values_to_json(end)]).to_string())
    }
}

fn read_token(token: &str, fingerprint: u64) -> Result<Vec<SortValue>> {
    let read = || {
        let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let search = value.get(0)?.as_str()?.to_owned();
        Some((search, values_of_json(value.get(1)?)?))
    };
    match read() {
        None => Err(Problem::invalid("the page token is none that this server has given")),
        Some((search, _)) if search != format!("{fingerprint:016x}") => {
            Err(Problem::invalid("the page token is of another list: only limit may change from page to page"))
        }
        Some((_, after)) => Ok(after),
    }
}

/// The clauses of `order_by`.
pub(super) fn order_clauses(call: &Call) -> Result<Vec<String>> {
    let clauses = call.query.list("order_by");
    if clauses.len() > MOST_ORDERS {
        return Err(Problem::invalid(format!("the query parameter 'order_by' has more than {MOST_ORDERS} keys")));
    }
    Ok(clauses)
}

pub(super) fn presences(call: &Call) -> Presences {
    match call.query.text("presence") {
        Some("deleted") => Presences::Deleted,
        Some("all") => Presences::All,
        _ => Presences::Active,
    }
}

/// The order by attributes, made total by one that tells things apart.
pub(super) fn total(mut orders: Vec<Order>, usual: Option<Order>, last: Order) -> Vec<Order> {
    if orders.is_empty() {
        orders.extend(usual);
    }
    if orders.iter().all(|order| order.field != last.field) {
        orders.push(last);
    }
    orders
}

pub(super) fn by(attribute: Attribute, direction: Direction) -> Order {
    Order { field: Field::Attribute(attribute), direction }
}

/// What comes after a place in a total order of attributes that all things have.
pub(super) fn beyond(orders: &[Order], place: &[SortValue]) -> Result<Filter> {
    if orders.len() != place.len() {
        return Err(Problem::invalid("the page token is none that this server has given"));
    }
    let mut ways = Vec::with_capacity(orders.len());
    for (index, (order, value)) in orders.iter().zip(place).enumerate() {
        let equal = orders[..index].iter().zip(place).map(|(order, value)| test(order, Comparison::Equal, value));
        let further = match order.direction {
            Direction::Ascending => Comparison::Greater,
            Direction::Descending => Comparison::Less,
        };
        ways.push(Filter::And(equal.chain([test(order, further, value)]).collect::<Result<_>>()?));
    }
    Ok(Filter::Or(ways))
}

fn test(order: &Order, comparison: Comparison, value: &SortValue) -> Result<Filter> {
    let predicate = match value {
        // As text, since an integer has more digits than a double.
        SortValue::Integer(number) => Predicate::Text(comparison, number.to_string()),
        SortValue::Text(text) => Predicate::Text(comparison, text.clone()),
        SortValue::Absent | SortValue::Real(_) => {
            return Err(Problem::invalid("the page token is none that this server has given"));
        }
    };
    Ok(Filter::Test(order.field.clone(), predicate))
}
