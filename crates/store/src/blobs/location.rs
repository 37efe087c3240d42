//! Which folder or bucket an artifact root URI names.

use std::path::PathBuf;

use object_store::path::Path;
use stele_domain::artifact_uri::{self, UriParts};
use stele_domain::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    Folder(PathBuf),
    Bucket(BucketLocation),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BucketLocation {
    pub(super) bucket: BucketName,
    pub(super) prefix: Path,
}

/// What one connection reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BucketName {
    S3 {
        bucket: String,
    },
    Gcs {
        bucket: String,
    },
    /// The account is in the URI or in the configuration; `host` is the blob endpoint of the account's cloud.
    Azure {
        container: String,
        account: Option<AzureAccount>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AzureAccount {
    pub(super) name: String,
    pub(super) host: String,
}

impl Location {
    pub(super) fn parse(uri: &str) -> Result<Location> {
        if let Some(path) = artifact_uri::local_path(uri)? {
            let path = std::path::absolute(&path)
                .map_err(|error| Error::invalid(format!("'{uri}' is not a usable artifact folder: {error}")))?;
            return Ok(Location::Folder(path));
        }
        let parts = UriParts::split(uri);
        let bucket = match parts.scheme.as_str() {
            "s3" | "s3a" => BucketName::S3 { bucket: authority(uri, &parts)? },
            "gs" => BucketName::Gcs { bucket: authority(uri, &parts)? },
            "wasbs" | "abfss" | "az" => azure(uri, &parts)?,
            other => return Err(Error::unsupported(format!("artifact storage at '{other}:' URIs is not supported"))),
        };
        Ok(Location::Bucket(BucketLocation { bucket, prefix: prefix(uri, parts.path)? }))
    }
}

fn authority(uri: &str, parts: &UriParts<'_>) -> Result<String> {
    if parts.authority.is_empty() || parts.authority.contains(['@', ':', '\\']) {
        return Err(Error::invalid(format!("'{uri}' names no bucket")));
    }
    Ok(parts.authority.to_owned())
}

fn azure(uri: &str, parts: &UriParts<'_>) -> Result<BucketName> {
    let Some((container, host)) = parts.authority.split_once('@') else {
        return Ok(BucketName::Azure { container: authority(uri, parts)?, account: None });
    };
    let (account, domain) = host.split_once('.').unwrap_or((host, ""));
    // Any other domain would receive a request signed with the account's key.
    let is_azure = ["blob.core.", "dfs.core."]
        .iter()
        .filter_map(|service| domain.strip_prefix(service))
        .any(|cloud| matches!(cloud, "windows.net" | "chinacloudapi.cn" | "usgovcloudapi.net"));
    if container.is_empty() || account.is_empty() || !is_azure {
        return Err(Error::invalid(format!(
            "'{uri}' is not of the form {}://<container>@<account>.blob.core.windows.net/<path>",
            parts.scheme
        )));
    }
    let host = format!("{account}.{}", domain.replacen("dfs.", "blob.", 1));
    let account = AzureAccount { name: account.to_owned(), host };
    Ok(BucketName::Azure { container: container.to_owned(), account: Some(account) })
}

fn prefix(uri: &str, path: &str) -> Result<Path> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    Path::parse(segments.join("/")).map_err(|error| Error::invalid(format!("'{uri}' is no artifact root: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(uri: &str) -> (BucketName, String) {
        match Location::parse(uri).unwrap() {
            Location::Bucket(found) => (found.bucket, found.prefix.to_string()),
            Location::Folder(path) => panic!("{uri} is the folder {}", path.display()),
        }
    }

    #[test]
    fn buckets_are_told_from_their_prefixes() {
        let s3 = BucketName::S3 { bucket: "b".to_owned() };
        assert_eq!(bucket("s3://b"), (s3.clone(), String::new()));
        assert_eq!(bucket("s3://b//deep/er/?x=1"), (s3, "deep/er".to_owned()));
        assert_eq!(bucket("gs://b/p"), (BucketName::Gcs { bucket: "b".to_owned() }, "p".to_owned()));
        assert_eq!(
            bucket("az://c/p"),
            (BucketName::Azure { container: "c".to_owned(), account: None }, "p".to_owned())
        );
        let account = AzureAccount { name: "a".to_owned(), host: "a.blob.core.windows.net".to_owned() };
        for uri in ["wasbs://c@a.blob.core.windows.net/p", "abfss://c@a.dfs.core.windows.net/p"] {
            let azure = BucketName::Azure { container: "c".to_owned(), account: Some(account.clone()) };
            assert_eq!(bucket(uri), (azure, "p".to_owned()));
        }
    }

    #[test]
    fn folders_are_absolute() {
        assert_eq!(Location::parse("file:///a%20b/c").unwrap(), Location::Folder(PathBuf::from("/a b/c")));
        let Location::Folder(path) = Location::parse("./mlartifacts").unwrap() else { panic!("not a folder") };
        assert_eq!(path, std::env::current_dir().unwrap().join("mlartifacts"));
    }

    #[test]
    fn unusable_roots_are_refused() {
        for uri in [
            "s3:///x",
            "s3://b/../x",
            "s3://user@b/x",
            "gs://",
            "wasbs://c@evil.example.com/x",
            "abfss://c@a.dfs.core.windows.net.evil/x",
            "ftp://h/x",
            "mlflow-artifacts:/x",
            "runs:/1/x",
            "file://elsewhere/x",
        ] {
            assert!(Location::parse(uri).is_err(), "{uri}");
        }
    }
}
