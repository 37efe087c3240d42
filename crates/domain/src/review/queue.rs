use super::check_length;
use crate::id::{ExperimentId, Timestamp};
use crate::trace::TraceId;
use crate::{Error, Result};

const MOST_NAME: usize = 250;
const MOST_REVIEWERS: usize = 10;
/// The queue of whoever uses a server without authentication.
const RESERVED_NAME: &str = "default";

/// Traces that wait for a review, with the questions to answer and those who may do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewQueue {
    pub id: String,
    pub experiment: ExperimentId,
    pub name: String,
    pub kind: QueueKind,
    pub created_by: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Any of them may review an item.
    pub users: Vec<String>,
    /// The ids of its questions; a queue of a user has all of the experiment, and lists none.
    pub schemas: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    /// What one user is to review, under the name of the user.
    User,
    Custom,
}

/// One trace in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewItem {
    pub queue: String,
    pub trace: TraceId,
    pub status: ReviewStatus,
    /// Who set the status, unless it is pending.
    pub completed_by: Option<String>,
    pub completed_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewStatus {
    Pending,
    Complete,
    /// It will not be reviewed in this queue.
    Declined,
}

/// What of a queue becomes another; what is none stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueChange {
    pub name: Option<String>,
    pub owner: Option<String>,
    pub users: Option<Vec<String>>,
    pub schemas: Option<Vec<String>>,
}

impl QueueChange {
    pub fn is_empty(&self) -> bool {
        *self == QueueChange::default()
    }
}

impl QueueKind {
    pub fn as_str(self) -> &'static str {
        match self {
            QueueKind::User => "user",
            QueueKind::Custom => "custom",
        }
    }

    pub fn parse(name: &str) -> Option<QueueKind> {
        [QueueKind::User, QueueKind::Custom].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl ReviewStatus {
    pub const ALL: [ReviewStatus; 3] = [ReviewStatus::Pending, ReviewStatus::Complete, ReviewStatus::Declined];

    pub fn as_str(self) -> &'static str {
        match self {
            ReviewStatus::Pending => "pending",
            ReviewStatus::Complete => "complete",
            ReviewStatus::Declined => "declined",
        }
    }

    pub fn parse(name: &str) -> Option<ReviewStatus> {
        ReviewStatus::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl ReviewItem {
    /// Sets the status; says whether it was another one. Who set it first is kept when it is set again.
    pub fn review(&mut self, status: ReviewStatus, by: Option<String>, now: Timestamp) -> bool {
        if self.status == status {
            return false;
        }
        let is_done = status != ReviewStatus::Pending;
        self.status = status;
        self.completed_by = by.filter(|_| is_done);
        self.completed_at = is_done.then_some(now);
        self.updated_at = now;
        true
    }
}

/// What names are compared by.
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// A reviewer's name as it is kept: it has to match the names of those who assess, in whatever case these write it.
pub fn reviewer(name: &str) -> Result<String> {
    let name = folded(name.trim());
    check_length("user", &name, MOST_NAME)?;
    Ok(name)
}

/// Reviewers' names as they are kept, each once.
pub fn reviewers(names: &[String]) -> Result<Vec<String>> {
    let mut kept: Vec<String> = Vec::new();
    for name in names {
        let name = reviewer(name)?;
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    if kept.len() > MOST_REVIEWERS {
        let length = kept.len();
        return Err(Error::invalid(format!(
            "A review queue can have at most {MOST_REVIEWERS} assigned users; got {length}."
        )));
    }
    Ok(kept)
}

/// The name of a queue that is no user's, as it is kept.
pub fn custom_queue_name(name: &str) -> Result<String> {
    let name = name.trim();
    check_length("name", name, MOST_NAME)?;
    if folded(name) == RESERVED_NAME {
        return Err(Error::invalid(format!(
            "`{name}` is a reserved queue name and cannot be used for a custom queue."
        )));
    }
    Ok(name.to_owned())
}

/// The name of a user's queue, as it is kept.
pub fn user_queue_name(name: &str) -> Result<String> {
    let name = folded(name.trim());
    check_length("name", &name, MOST_NAME)?;
    Ok(name)
}

/// The name of who owns a queue, as it is kept.
pub fn check_owner(name: &str) -> Result<String> {
    let name = name.trim();
    check_length("new_owner", name, MOST_NAME)?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> ReviewItem {
        ReviewItem {
            queue: "rq-1".to_owned(),
            trace: TraceId::parse("tr-1").unwrap(),
            status: ReviewStatus::Pending,
            completed_by: None,
            completed_at: None,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
        }
    }

    #[test]
    fn whoever_reviews_first_is_kept_until_the_item_is_opened_again() {
        let mut item = item();
        assert!(item.review(ReviewStatus::Complete, Some("ann".to_owned()), Timestamp(2)));
        assert!(!item.review(ReviewStatus::Complete, Some("bob".to_owned()), Timestamp(3)));
        assert_eq!((item.completed_by.as_deref(), item.completed_at), (Some("ann"), Some(Timestamp(2))));
        assert!(item.review(ReviewStatus::Declined, Some("bob".to_owned()), Timestamp(4)));
        assert_eq!(item.completed_by.as_deref(), Some("bob"));
        assert!(item.review(ReviewStatus::Pending, None, Timestamp(5)));
        assert_eq!((item.completed_by, item.completed_at, item.updated_at), (None, None, Timestamp(5)));
    }

    #[test]
    fn reviewers_are_told_apart_whatever_their_case_and_are_few() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(reviewers(&names(&["Bob", " bob ", "Ann"])).unwrap(), ["bob", "ann"]);
        let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        assert!(reviewers(&eleven).is_err());
        assert!(reviewers(&names(&["  "])).is_err());
    }

    #[test]
    fn no_queue_takes_the_name_of_the_one_without_users() {
        for name in ["default", " DEFAULT "] {
            assert!(custom_queue_name(name).is_err());
            assert_eq!(user_queue_name(name).unwrap(), "default");
        }
        assert_eq!(custom_queue_name(" Q3 ").unwrap(), "Q3");
    }
}
