use super::*;

#[test]
fn paths_are_appended_before_query_and_fragment() {
    for (uri, path, expected) in [
        ("s3://b/root?v=1#f", "x/y", "s3://b/root/x/y?v=1#f"),
        ("s3://b/root?v=1#f", "/x", "s3://b/root/x?v=1#f"),
        ("s3://b", "x/y", "s3://b/x/y"),
        ("s3://b", "/x", "s3://b/x"),
        ("s3://b", "", "s3://b"),
        ("s3://b/", "x", "s3://b/x"),
        ("s3://b?q=1", "x", "s3://b/x?q=1"),
        ("s3:/b/x", "x/y", "s3:/b/x/x/y"),
        ("S3://B/x", "x", "s3://B/x/x"),
        ("file:/a/b", "x", "file:///a/b/x"),
        ("file:///a/b", "/x", "file:///a/b/x"),
        ("file:a/b", "x/y", "file:a/b/x/y"),
        ("file:", "/x", "file:/x"),
        ("/a/b", "/x", "/a/b/x"),
        ("/a/b", "", "/a/b/"),
        ("/", "x", "/x"),
        ("a/b?x=1", "x", "a/b?x=1/x"),
        ("", "/x", "/x"),
        ("mlflow-artifacts:/1", "x", "mlflow-artifacts:/1/x"),
        ("mlflow-artifacts:", "/x", "mlflow-artifacts:/x"),
        ("mlflow-artifacts://h:5/1/2", "x", "mlflow-artifacts://h:5/1/2/x"),
        ("wasbs://c@a.blob.core.windows.net/p;q/", "x", "wasbs://c@a.blob.core.windows.net/p;q/x"),
        ("http://h/p;q?x=y", "x", "http://h/p/x;q?x=y"),
        ("http:///x", "y", "http:///x/y"),
        ("gs://b//x", "/y", "gs://b//x/y"),
    ] {
        assert_eq!(append_to_uri_path(uri, path).unwrap(), expected, "{uri} + {path}");
    }
}

#[test]
fn queries_cannot_climb() {
    for uri in ["s3://b/x?a=..", "s3://b/x?../../y", "s3://b/x?%2e%2e%2f", "s3://b/x?%252e."] {
        assert_eq!(append_to_uri_path(uri, "x").unwrap_err().to_string(), "Invalid query string", "{uri}");
    }
}

#[test]
fn a_uri_lies_within_a_root_by_decoded_segments() {
    for (source, root) in [
        ("s3://b/1/run/artifacts/model", "s3://b/1/run/artifacts"),
        ("s3://B/1/run", "S3://b/1/run/"),
        ("s3a://b/1/run", "s3://b/1"),
        ("abfss://c@a.dfs.core.windows.net/1/run", "wasbs://c@a.blob.core.windows.net/1"),
        ("mlflow-artifacts:/1/r%61n/m", "mlflow-artifacts:/1/ran"),
        ("mlflow-artifacts:/1//run/m", "mlflow-artifacts:/1/run"),
    ] {
        assert!(is_uri_within(source, root), "{source} in {root}");
    }
    for (source, root) in [
        ("s3://b/1/run2", "s3://b/1/run"),
        ("s3://c/1/run", "s3://b/1/run"),
        ("gs://b/1/run", "s3://b/1/run"),
        ("wasbs://c@b.blob.core.windows.net/1/run", "wasbs://c@a.blob.core.windows.net/1"),
        ("s3://b/1", "s3://b/1/run"),
        ("s3://b/1", "s3://b"),
    ] {
        assert!(!is_uri_within(source, root), "{source} in {root}");
    }
}

#[test]
fn local_folders_are_found_behind_paths_and_file_uris() {
    for (uri, path) in [
        ("/a/b", Some("/a/b")),
        ("rel/x", Some("rel/x")),
        ("file:///a%20b", Some("/a b")),
        ("file:/a", Some("/a")),
        ("file://localhost/a", Some("/a")),
        ("s3://b/x", None),
        ("mlflow-artifacts:/1", None),
    ] {
        assert_eq!(local_path(uri).unwrap().as_deref(), path, "{uri}");
    }
    assert!(local_path("file://elsewhere/a").is_err());
}

#[test]
fn proxied_roots_name_a_place_in_the_destination() {
    for (uri, path) in [
        ("mlflow-artifacts:/1/r/artifacts", Some("1/r/artifacts")),
        ("mlflow-artifacts://h:5000/1/r", Some("1/r")),
        ("http://h/api/2.0/mlflow-artifacts/artifacts/1/r", Some("1/r")),
        ("https://h/prefix/api/2.0/mlflow-artifacts/artifacts/1", Some("1")),
        ("http://h/elsewhere", None),
        ("s3://b/1", None),
    ] {
        assert_eq!(proxied_path(uri).unwrap().as_ref().map(ArtifactPath::as_str), path, "{uri}");
    }
    assert!(proxied_path("mlflow-artifacts:/1/%2e%2e/x").is_err());
}

#[test]
fn locations_are_judged() {
    let policy = LocationPolicy {
        trusted_roots: vec!["sftp://files/root".to_owned(), "mlflow-artifacts://proxy/".to_owned()],
        allowed_schemes: vec!["ftp".to_owned()],
        max_length: 40,
    };
    for location in [
        "s3://bucket/x",
        "/plain/folder",
        "file:///x",
        "mlflow-artifacts:/x",
        "wasbs://c@a.blob.core.windows.net/x",
        "sftp://user@files:22/other",
        "https://proxy/x",
        "ftp://anywhere/x",
        "s3://bucket/a;b",
        "relative/../x",
    ] {
        assert_eq!(policy.validate_location(location, "artifact_location"), Ok(()), "{location}");
    }
    for (location, start) in [
        ("s3://b/x#frag", "'artifact_location' URL can't include fragments or params."),
        ("/x;params", "'artifact_location' URL can't include fragments or params."),
        ("s3://b/x?a=%2e%2e", "Invalid query string"),
        ("runs:/1/model", "Artifact location cannot be a runs:/ URI. Given: 'runs:/1/model'"),
        ("sftp://elsewhere/x", "'artifact_location' cannot use the 'sftp' scheme: the 'sftp' scheme addresses"),
        ("sftp://files:2222/x", "'artifact_location' cannot use the 'sftp' scheme"),
        ("http://proxy\\@evil/x", "'artifact_location' cannot use the 'http' scheme"),
        ("http://proxy:8o/x", "'artifact_location' cannot use the 'http' scheme"),
        ("abfss://c@account.dfs.core.windows.net/x", "'artifact_location' cannot use the 'abfss' scheme"),
        ("s3://bucket/a-rather-long-prefix-for-this-limit", "Invalid artifact path length."),
    ] {
        let message = policy.validate_location(location, "artifact_location").unwrap_err().to_string();
        assert!(message.starts_with(start), "{location}: {message}");
    }
}

#[test]
fn relative_locations_become_absolute() {
    for (uri, absolute) in [
        ("my_place", "/srv/my_place"),
        ("./a//b/", "/srv/a/b"),
        ("../a", "/srv/../a"),
        ("file:a/b", "file:///srv/a/b"),
        ("/abs/x", "/abs/x"),
        ("file:///abs/x", "file:///abs/x"),
        ("s3://b/x", "s3://b/x"),
        ("mlflow-artifacts:x", "mlflow-artifacts:x"),
    ] {
        assert_eq!(absolute_location(uri, "/srv"), absolute);
    }
}

#[test]
fn places_in_a_folder_are_told_from_others() {
    let place = |uri| place_in_folder(uri, "/data/artifacts/").unwrap().map(|path| path.to_string());
    for (uri, inside) in [
        ("/data/artifacts", ""),
        ("/data/artifacts/1/r", "1/r"),
        ("//data/./artifacts/1", "1"),
        ("file:///data/artifacts/a%20b", "a b"),
        ("file://localhost/data/artifacts/x", "x"),
    ] {
        assert_eq!(place(uri).as_deref(), Some(inside), "{uri}");
    }
    for uri in [
        "/data",
        "/data/artifacts-twin/x",
        "/data/artifacts/../x",
        "/x/../data/artifacts/1",
        "data/artifacts/x",
        "file:///data/artifacts/%2e%2e/x",
        "s3://data/artifacts/x",
    ] {
        assert_eq!(place(uri), None, "{uri}");
    }
}
