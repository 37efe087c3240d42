//! Tags of objects and of buckets.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stele_domain::bucket::{MOST_BUCKET_TAGS, MOST_TAGS};

use super::NAMESPACE;
use super::buckets;
use super::call::Call;
use super::error::{Failure, Result, xml_response};
use crate::xml::Xml;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagging {
    tag_set: TagSet,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagSet {
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

pub(super) async fn get(call: Call) -> Result<Response> {
    let found = call.app.object_get(&call.ctx, call.bucket.clone(), call.key.clone()).await?;
    Ok(tagging(&found.object.head.tags))
}

pub(super) async fn set(mut call: Call) -> Result<Response> {
    let tags = checked(given(&mut call).await?, &OF_OBJECTS)?;
    call.app.object_tag(&call.ctx, call.bucket, call.key, tags).await?;
    Ok(StatusCode::OK.into_response())
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    call.app.object_tag(&call.ctx, call.bucket, call.key, BTreeMap::new()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn of_bucket(call: Call) -> Result<Response> {
    let tags = call.app.bucket_tags(&call.ctx, call.bucket.clone()).await?;
    match tags.is_empty() {
        true => Err(buckets::lacks(buckets::TAGS, call.bucket)),
        false => Ok(tagging(&tags)),
    }
}

pub(super) async fn set_of_bucket(mut call: Call) -> Result<Response> {
    let tags = checked(given(&mut call).await?, &OF_BUCKETS)?;
    call.app.bucket_tag(&call.ctx, call.bucket, tags).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn delete_of_bucket(call: Call) -> Result<Response> {
    call.app.bucket_tag(&call.ctx, call.bucket, BTreeMap::new()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn tagging(tags: &BTreeMap<String, String>) -> Response {
    let document = Xml::document("Tagging", NAMESPACE, |xml| {
        xml.element("TagSet", |xml| {
            for (key, value) in tags {
                xml.element("Tag", |xml| {
                    xml.text("Key", key).text("Value", value);
                });
            }
        });
    });
    xml_response(StatusCode::OK, document)
}

async fn given(call: &mut Call) -> Result<impl Iterator<Item = (String, String)> + use<>> {
    let Tagging { tag_set: TagSet { tag } } = call.document().await?;
    Ok(tag.into_iter().map(|Tag { key, value }| (key, value)))
}

/// What is different about the tags of one kind of thing.
pub(super) struct Limits {
    most: usize,
    /// What is said of keys that belong to AWS.
    reserved: &'static str,
    many: &'static str,
}

pub(super) const OF_OBJECTS: Limits = Limits {
    most: MOST_TAGS,
    reserved: "Your TagKey cannot be prefixed with aws:",
    many: "Object tags cannot be greater than 10",
};

const OF_BUCKETS: Limits = Limits {
    most: MOST_BUCKET_TAGS,
    reserved: "System tags cannot be added/updated by requester",
    many: "Bucket tag count cannot be greater than 50",
};

/// Tags as a thing may have them.
pub(super) fn checked(
    given: impl Iterator<Item = (String, String)>,
    limits: &Limits,
) -> Result<BTreeMap<String, String>> {
    let invalid = |message: &str, key: String| Err(Failure::bad("InvalidTag", message).about("TagKey", key));
    let mut tags = BTreeMap::new();
    for (key, value) in given {
        if key.starts_with("aws:") {
            return invalid(limits.reserved, key);
        }
        if key.is_empty() || key.chars().count() > 128 || !key.chars().all(fits) {
            return invalid("The TagKey you have provided is invalid", key);
        }
        if value.chars().count() > 256 || !value.chars().all(fits) {
            return invalid("The TagValue you have provided is invalid", key);
        }
        if tags.contains_key(&key) {
            return invalid("Cannot provide multiple Tags with the same key", key);
        }
        tags.insert(key, value);
    }
    if tags.len() > limits.most {
        return Err(Failure::bad("BadRequest", limits.many));
    }
    Ok(tags)
}

/// Letters, numbers and spaces of any script, and the signs that S3 allows.
fn fits(character: char) -> bool {
    let is_space = character.is_whitespace() && !character.is_control();
    character.is_alphanumeric() || is_space || "_.:/=+-@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_an_object_cannot_have_are_refused() {
        let told = |tags: &[(&str, &str)]| {
            let given = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            checked(given, &OF_OBJECTS).map(|tags| tags.len()).map_err(|failure| failure.told().0)
        };
        assert_eq!(told(&[("a", ""), ("b", &"x".repeat(256))]), Ok(2));
        for tags in [
            [("aws:a", "")],
            [("", "")],
            [(&"k".repeat(129), "")],
            [("a", &"x".repeat(257))],
            [("a!", "")],
            [("a", "\n")],
        ] {
            assert_eq!(told(&tags), Err("InvalidTag"), "{tags:?}");
        }
        assert_eq!(told(&[("a", "1"), ("a", "2")]), Err("InvalidTag"));
        let many: Vec<String> = (0..11).map(|number| number.to_string()).collect();
        assert_eq!(told(&many.iter().map(|key| (key.as_str(), "")).collect::<Vec<_>>()), Err("BadRequest"));
    }
}
