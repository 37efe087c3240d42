use std::sync::Arc;

use stele_domain::authz::Principal;
use stele_domain::identity::{Account, AccountKind};

use crate::{App, Ctx, Script};

/// What the login found out about a request; it travels with it to the script, which words refusals as its clients
/// expect.
#[derive(Debug, Clone)]
pub enum Admission {
    Admitted(Principal),
    Refused(Refusal),
}

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody said who they are.
    Missing,
    /// A wrong password, or a token that is unknown, expired or revoked, or an account that is disabled: which of these
    /// is told to nobody.
    Unknown,
    /// The same, of an access key.
    UnknownKey,
    /// Credentials for a while, whose while is over.
    Expired,
    /// A signature that lacks a part, or something besides it.
    Incomplete(String),
    /// A signature that does not match, or is of another time.
    Signature(String),
    /// An identity provider vouches for a user whose name another account has.
    NameTaken(String),
    /// Too many wrong attempts; the next one may be made after so many seconds.
    TooMany { seconds: u64 },
    /// It cannot be found out now.
    Unavailable(String),
    /// A defect; the text is for the log.
    Internal(String),
}

impl Refusal {
    /// What clients are told; scripts that have words of their own for it use those.
    pub fn message(&self) -> String {
        match self {
            Refusal::Missing => "this server wants to know who asks: send a name and password, a token or a \
                                 signature"
                .to_owned(),
            Refusal::Unknown => "the name and password or the token are not valid here".to_owned(),
            Refusal::NameTaken(name) => format!(
                "another account has the name '{name}' that the identity provider gives; an administrator must let \
                 go of it"
            ),
            Refusal::UnknownKey => "the access key is not valid here".to_owned(),
            Refusal::Expired => "the session token is expired".to_owned(),
            Refusal::Incomplete(message) | Refusal::Signature(message) | Refusal::Unavailable(message) => {
                message.clone()
            }
            Refusal::TooMany { seconds } => {
                format!("too many failed logins; try again in {seconds} seconds")
            }
            Refusal::Internal(_) => "an internal error occurred; the server's log says more".to_owned(),
        }
    }
}

/// How the body of a request to S3 is signed, where its hash is not in the signature of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedPayload {
    /// Not at all.
    Unsigned,
    /// In chunks, each with a signature that follows from the one before.
    Chunks,
    /// As chunks, with a signed trailer.
    ChunksAndTrailer,
    /// In chunks without signatures, with a trailer.
    UnsignedTrailer,
}

/// What the signatures of the chunks of a body are checked with. It travels with a request whose signature was right.
#[derive(Clone)]
pub struct SignedBody {
    pub payload: SignedPayload,
    /// The signing key of the day, region and service.
    pub key: Vec<u8>,
    /// `20261128/eu-west-1/s3/aws4_request`
    pub scope: String,
    /// `20261128T101500Z`
    pub date: String,
    /// The signature of the request, which the first chunk follows, in hex.
    pub seed: String,
}

impl App {
    /// The context of a request that the login looked at. Without authentication everybody is the local owner; with
    /// it, whoever did not come through the login is nobody.
    pub fn admit(
        &self,
        admission: Option<Admission>,
        script: Script,
        request_id: impl Into<String>,
    ) -> Result<Ctx, Refusal> {
        match admission {
            Some(Admission::Admitted(principal)) => Ok(self.context_of(principal, script, request_id)),
            Some(Admission::Refused(refusal)) => Err(refusal),
            None if self.authentication_required() => Err(Refusal::Missing),
            None => Ok(self.local_owner(script, request_id)),
        }
    }

    /// The context of a request that anybody may make, such as asking whether the server is well. It holds no role.
    pub fn anonymous(&self, script: Script, request_id: impl Into<String>) -> Ctx {
        let nobody = Account::new("anonymous", AccountKind::Service, Vec::new(), Vec::new());
        self.context_of(Principal::Account(Arc::new(nobody)), script, request_id)
    }
}
