use std::collections::BTreeSet;

use super::*;
use crate::api::openapi::document;

#[test]
fn the_document_is_as_reviewed() {
    let mut document = document(&routes());
    document["info"]["version"] = json!("[version]");
    insta::assert_json_snapshot!("openapi", document);
}

/// What generated clients stumble over.
#[test]
fn the_document_has_every_route_and_nothing_dangles() {
    let document = document(&routes());
    let mut names = BTreeSet::new();
    for route in routes() {
        let operation =
            &document["paths"][format!("{ROOT}/{}", route.path)][route.method.as_str().to_ascii_lowercase()];
        assert_eq!(operation["operationId"], route.name, "{}", route.path);
        assert!(names.insert(route.name), "{} is the name of two routes", route.name);
        assert!(route.says.ends_with('.'), "{}", route.name);
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), "{parameter}");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is referred to and not there");
    }
}

#[tokio::test]
async fn the_document_and_the_name_of_the_server_are_served() {
    for test in apps().await {
        let served = ok(&test.app, Method::GET, "openapi.json").await;
        assert_eq!(served, document(&routes()));
        let server = ok(&test.app, Method::GET, "server").await;
        assert_eq!(server, json!({ "name": "stele", "version": env!("CARGO_PKG_VERSION"), "instance": "test" }));
    }
}
