use stele_domain::authz::{Permit, Verb};
use stele_domain::gate::{DecisionKind, Vote};
use stele_domain::id::{ModelVersionRow, Timestamp};
use stele_domain::{Error, Result};

use super::{from_json, to_json};
use crate::Tx;
use crate::engine::{Row, params};

/// What somebody said of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    pub id: i64,
    pub kind: ReviewKind,
    pub person: String,
    pub groups: Vec<String>,
    pub reason: String,
    /// What the version was then.
    pub fingerprint: String,
    pub at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewKind {
    /// Asks others to decide.
    Request,
    Comment,
    Decision(DecisionKind),
}

/// The most that is said of one version.
const MOST_REVIEWS: i64 = 2_000;

const COLUMNS: &str = "SELECT id, kind, person, groups, reason, fingerprint, at, expires_at FROM review";

const INSERT: &str = "INSERT INTO review
         (model_version_id, kind, person, groups, reason, fingerprint, at, expires_at)
     SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM model_version WHERE id = $1 RETURNING id";

impl ReviewKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ReviewKind::Request => "request",
            ReviewKind::Comment => "comment",
            ReviewKind::Decision(kind) => kind.as_str(),
        }
    }

    fn parse(text: &str) -> Option<ReviewKind> {
        match text {
            "request" => Some(ReviewKind::Request),
            "comment" => Some(ReviewKind::Comment),
            _ => DecisionKind::parse(text).map(ReviewKind::Decision),
        }
    }
}

impl Tx<'_> {
    /// Keeps what somebody says of a version; the id in `review` is not looked at.
    pub fn review_add<V: Verb>(
        &mut self,
        _permit: &Permit<V>,
        version: ModelVersionRow,
        review: &Review,
    ) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(*) FROM review WHERE model_version_id = $1";
        if self.query_one(COUNT, params![version], |row| row.int(0))? >= MOST_REVIEWS {
            let message = format!("a version has at most {MOST_REVIEWS} reviews and comments");
            return Err(Error::LimitExceeded { message });
        }
        let Review { id: _, kind, person, groups, reason, fingerprint, at, expires_at } = review;
        let groups = to_json(groups)?;
        let values = params![version, kind.as_str(), person, &groups, reason, fingerprint, *at, *expires_at];
        self.query_one(INSERT, values, |row| row.int(0))
    }

    /// Keeps the decision of somebody whose move was refused, if the version is there still.
    pub fn vote_keep<V: Verb>(
        &mut self,
        permit: &Permit<V>,
        model: &str,
        number: i64,
        vote: &Vote,
        now: Timestamp,
    ) -> Result<bool> {
        const FIND: &str = "SELECT version.id FROM model_version AS version JOIN model ON model.id = version.model_id
             WHERE model.workspace_id = $1 AND model.name = $2 AND version.number = $3";
        let found = self.query_opt(FIND, params![permit.workspace(), model, number], |row| row.int(0))?;
        let Some(row) = found.map(ModelVersionRow) else { return Ok(false) };
        let Vote { kind, person, groups, reason, fingerprint, expires_at } = vote.clone();
        let (kind, expires_at) = (ReviewKind::Decision(kind), expires_at.map(Timestamp));
        let review = Review { id: 0, kind, person, groups, reason, fingerprint, at: now, expires_at };
        self.review_add(permit, row, &review).map(|_| true)
    }

    /// What was said of a version, the oldest first.
    pub fn reviews(&mut self, version: ModelVersionRow) -> Result<Vec<Review>> {
        let sql = format!("{COLUMNS} WHERE model_version_id = $1 ORDER BY id");
        self.query(&sql, params![version], review)
    }
}

fn review(row: &Row) -> Result<Review> {
    Ok(Review {
        id: row.int(0)?,
        kind: row.parsed(1, ReviewKind::parse)?,
        person: row.text(2)?,
        groups: from_json(&row.text(3)?)?,
        reason: row.text(4)?,
        fingerprint: row.text(5)?,
        at: Timestamp(row.int(6)?),
        expires_at: row.opt_int(7)?.map(Timestamp),
    })
}
