//! Tags of objects.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stele_domain::bucket::MOST_TAGS;

use super::NAMESPACE;
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
    let document = Xml::document("Tagging", NAMESPACE, |xml| {
        xml.element("TagSet", |xml| {
            for (key, value) in &found.object.head.tags {
                xml.element("Tag", |xml| {
                    xml.text("Key", key).text("Value", value);
                });
            }
        });
    });
    Ok(xml_response(StatusCode::OK, document))
}

pub(super) async fn set(mut call: Call) -> Result<Response> {
    let Tagging { tag_set: TagSet { tag } } = call.document().await?;
    let tags = checked(tag.into_iter().map(|Tag { key, value }| (key, value)))?;
    call.app.object_tag(&call.ctx, call.bucket, call.key, tags).await?;
    Ok(StatusCode::OK.into_response())
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    call.app.object_tag(&call.ctx, call.bucket, call.key, BTreeMap::new()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Tags as an object may have them.
pub(super) fn checked(given: impl Iterator<Item = (String, String)>) -> Result<BTreeMap<String, String>> {
    let invalid = |message: &str, key: String| Err(Failure::bad("InvalidTag", message).about("TagKey", key));
    let mut tags = BTreeMap::new();
    for (key, value) in given {
        if key.starts_with("aws:") {
            return invalid("Your TagKey cannot be prefixed with aws:", key);
        }
        if key.is_empty() || key.chars().count() > 128 {
            return invalid("The TagKey you have provided is invalid", key);
        }
        if value.chars().count() > 256 {
            return invalid("The TagValue you have provided is invalid", key);
        }
        if tags.contains_key(&key) {
            return invalid("Cannot provide multiple Tags with the same key", key);
        }
        tags.insert(key, value);
    }
    if tags.len() > MOST_TAGS {
        return Err(Failure::bad("BadRequest", format!("Object tags cannot be greater than {MOST_TAGS}")));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_an_object_cannot_have_are_refused() {
        let told = |tags: &[(&str, &str)]| {
            let given = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            checked(given).map(|tags| tags.len()).map_err(|failure| failure.told().0)
        };
        assert_eq!(told(&[("a", ""), ("b", &"x".repeat(256))]), Ok(2));
        for tags in [[("aws:a", "")], [("", "")], [(&"k".repeat(129), "")], [("a", &"x".repeat(257))]] {
            assert_eq!(told(&tags), Err("InvalidTag"), "{tags:?}");
        }
        assert_eq!(told(&[("a", "1"), ("a", "2")]), Err("InvalidTag"));
        let many: Vec<String> = (0..11).map(|number| number.to_string()).collect();
        assert_eq!(told(&many.iter().map(|key| (key.as_str(), "")).collect::<Vec<_>>()), Err("BadRequest"));
    }
}
