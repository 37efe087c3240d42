use axum::http::HeaderMap;
use chrono::{DateTime, NaiveDateTime};
use stele_app::Refusal;
use stele_domain::id::Timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE_TIME: &str = "%Y%m%dT%H%M%SZ";
/// How far the clocks of client and server may be apart.
const SKEW_MS: i64 = 5 * 60 * 1000;
/// How long a presigned URL may be good for: a week.
const LONGEST_SECONDS: i64 = 7 * 24 * 60 * 60;

/// What a request says about its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::login) struct Claim {
    pub(super) key: String,
    /// The session token of credentials for a while.
    pub(super) token: Option<String>,
    /// As in the scope: `20261128`.
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
    /// In lower case and sorted, as they are signed.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    /// `20261128T101500Z`.
    pub(super) date_time: String,
    at: Timestamp,
    /// The milliseconds that a presigned URL is good for; none of a signed header.
    pub(super) lasts: Option<i64>,
}

fn incomplete(what: &str) -> Refusal {
    Refusal::Incomplete(format!("the signature of the request is incomplete: {what}"))
}

impl Claim {
    /// `AWS4-HMAC-SHA256 Credential=.., SignedHeaders=.., Signature=..`, with the time in another header.
    pub(in crate::login) fn of_header(value: &str, headers: &HeaderMap) -> Result<Claim, Refusal> {
        let rest = value.strip_prefix(ALGORITHM).ok_or_else(|| incomplete(&format!("it is not of {ALGORITHM}")))?;
        let mut parts = rest.split(',').filter_map(|part| part.trim().split_once('='));
        let parts: Vec<(&str, &str)> = parts.by_ref().collect();
        let part = |name: &str| {
            let found = parts.iter().find(|(part, _)| *part == name).map(|(_, value)| *value);
            found.filter(|value| !value.is_empty()).ok_or_else(|| incomplete(&format!("Authorization has no {name}")))
        };
        let time = headers.get("x-amz-date").and_then(|time| time.to_str().ok());
        let time = time.ok_or_else(|| incomplete("there is no X-Amz-Date header"))?;
        let mut claim = Claim::new(part("Credential")?, part("SignedHeaders")?, part("Signature")?, time, None)?;
        claim.token = headers.get("x-amz-security-token").map(|token| token.to_str().unwrap_or("").to_owned());
        match claim.signs("x-amz-date") {
            true => Ok(claim),
            false => Err(incomplete("X-Amz-Date is not signed")),
        }
    }

    /// The claim in the query of a presigned URL, if there is one.
    pub(in crate::login) fn of_query(query: &str) -> Result<Option<Claim>, Refusal> {
        if !query.contains("X-Amz-Algorithm=") && !query.contains("X-Amz-Signature=") {
            return Ok(None);
        }
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let part = |name: &str| {
            let mut found = pairs.iter().filter(|(part, _)| part == name).map(|(_, value)| value.as_str());
            match (found.next().filter(|value| !value.is_empty()), found.next()) {
                (Some(value), None) => Ok(value),
                _ => Err(incomplete(&format!("the query has not one {name}"))),
            }
        };
        if part("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete(&format!("it is not of {ALGORITHM}")));
        }
        let seconds: i64 = part("X-Amz-Expires")?.parse().map_err(|_| incomplete("X-Amz-Expires is no number"))?;
        if !(1..=LONGEST_SECONDS).contains(&seconds) {
            return Err(incomplete(&format!("X-Amz-Expires is not between 1 and {LONGEST_SECONDS}")));
        }
        let lasts = Some(seconds * 1000);
        let (credential, headers) = (part("X-Amz-Credential")?, part("X-Amz-SignedHeaders")?);
        let mut claim = Claim::new(credential, headers, part("X-Amz-Signature")?, part("X-Amz-Date")?, lasts)?;
        if pairs.iter().any(|(name, _)| name == "X-Amz-Security-Token") {
            claim.token = Some(part("X-Amz-Security-Token")?.to_owned());
        }
        Ok(Some(claim))
    }

    fn new(
        credential: &str,
        signed_headers: &str,
        signature: &str,
        time: &str,
        lasts: Option<i64>,
    ) -> Result<Claim, Refusal> {
        // From behind, since what is in front of the scope is the key's own.
        let mut scope = credential.rsplitn(5, '/');
        let mut next = || scope.next().filter(|part| !part.is_empty());
        let (Some("aws4_request"), Some(service), Some(region), Some(date), Some(key)) =
            (next(), next(), next(), next(), next())
        else {
            return Err(incomplete("the credential is not KEY/DATE/REGION/SERVICE/aws4_request"));
        };
        let parsed = NaiveDateTime::parse_from_str(time, DATE_TIME)
            .map_err(|_| incomplete("the date is not written as 20060102T150405Z"))?;
        if !time.starts_with(date) || date.len() != 8 {
            return Err(Refusal::Signature("the date in the credential is not that of the request".to_owned()));
        }
        let claim = Claim {
            key: key.to_owned(),
            token: None,
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
            date_time: time.to_owned(),
            at: Timestamp(parsed.and_utc().timestamp_millis()),
            lasts,
        };
        match claim.signs("host") {
            true => Ok(claim),
            false => Err(incomplete("the Host header is not signed")),
        }
    }

    fn signs(&self, header: &str) -> bool {
        self.signed_headers.iter().any(|signed| signed == header)
    }

    /// What the key is derived for.
    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    /// Refuses a signature of another time.
    pub(super) fn in_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let written = |at: i64| {
            DateTime::from_timestamp_millis(at).map(|at| at.format(DATE_TIME).to_string()).unwrap_or_default()
        };
        let end = self.at.0 + self.lasts.unwrap_or(SKEW_MS);
        if end < now.0 {
            let message =
                format!("Signature expired: it was good until {}, and it is {}", written(end), written(now.0));
            return Err(Refusal::Signature(message));
        }
        if self.at.0 - SKEW_MS > now.0 {
            let message = format!("Signature not yet current: {} is later than {}", self.date_time, written(now.0));
            return Err(Refusal::Signature(message));
        }
        Ok(())
    }

    /// Refuses a request with a header that says what is asked, such as `X-Amz-Target`, and is not signed.
    pub(super) fn covers(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut names = headers.keys().map(axum::http::HeaderName::as_str);
        match names.find(|name| name.starts_with("x-amz-") && !self.signs(name)) {
            Some(name) => Err(Refusal::Signature(format!("the header {name} is not signed"))),
            None => Ok(()),
        }
    }
}
