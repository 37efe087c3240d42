//! Connections to buckets, configured by the environment variables that each cloud's own tools read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ClientOptions, RetryConfig};
use stele_domain::{Error, Result};

use super::bucket::Bucket;
use super::location::{AzureAccount, BucketName};

/// The settings of all storage connections, by the names of their environment variables: `AWS_*` with
/// `MLFLOW_S3_ENDPOINT_URL`, `MLFLOW_S3_IGNORE_TLS` and `MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE`; `GOOGLE_*`; `AZURE_*`.
#[derive(Clone, Default)]
pub struct BlobOptions {
    variables: BTreeMap<String, String>,
    /// Clients are handed no URLs of buckets.
    through_server: bool,
}

// Not derived: the variables hold credentials.
impl std::fmt::Debug for BlobOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl BlobOptions {
    pub fn from_environment() -> BlobOptions {
        let readable =
            std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
        BlobOptions::from_variables(readable)
    }

    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> BlobOptions {
        const PREFIXES: [&str; 6] = ["AWS_", "MLFLOW_S3_", "MLFLOW_BOTO_", "GOOGLE_", "AZURE_", "SERVICE_ACCOUNT"];
        let is_ours = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let variables = variables.into_iter().filter(|(name, value)| is_ours(name) && !value.is_empty()).collect();
        BlobOptions { variables, through_server: false }
    }

    /// The same, and whether all that clients read and write goes through this server, for buckets that they do not reach.
    #[must_use]
    pub fn through_server(self, through_server: bool) -> BlobOptions {
        BlobOptions { through_server, ..self }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }

    /// The variables that begin with `prefix`, lowercase as `object_store` spells its keys.
    fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (String, &String)> {
        self.variables
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
    }

    /// `prefix` is that of the cloud whose variables may set client options, such as `AWS_PROXY_URL`.
    fn client_options(&self, prefix: &str) -> ClientOptions {
        // The default limit is for a whole request, which a large download to a slow client would exceed.
        let defaults = ClientOptions::new().with_timeout_disabled().with_read_timeout(Duration::from_secs(120));
        self.with_prefix(prefix).fold(defaults, |options, (name, value)| {
            match name[prefix.len()..].parse::<ClientConfigKey>() {
                Ok(key) => options.with_config(key, value),
                Err(_) => options,
            }
        })
    }
}

pub(super) fn connect(bucket: &BucketName, options: &BlobOptions) -> Result<Bucket> {
    let bucket = match bucket {
        BucketName::S3 { bucket } => s3(bucket, options),
        BucketName::Gcs { bucket } => gcs(bucket, options),
        BucketName::Azure { container, account } => azure(container, account.as_ref(), options),
    };
    Ok(bucket?.reached_directly(!options.through_server))
}

fn s3(bucket: &str, options: &BlobOptions) -> Result<Bucket> {
    let mut builder = AmazonS3Builder::new();
    for (name, value) in options.with_prefix("AWS_") {
        if let Ok(key) = name.parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let mut client_options = options.client_options("AWS_");
    let endpoint = ["MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .iter()
        .find_map(|name| options.get(name));
    if let Some(endpoint) = endpoint {
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint.trim_end_matches('/'));
        if endpoint.starts_with("http://") {
            client_options = client_options.with_allow_http(true);
        }
    }
    if options.is_true("MLFLOW_S3_IGNORE_TLS") {
        client_options = client_options.with_allow_invalid_certificates(true);
    }
    if options.get("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE") == Some("virtual") {
        builder = builder.with_virtual_hosted_style_request(true);
    }
    builder = builder.with_bucket_name(bucket).with_client_options(client_options);
    if needs_instance_metadata(options) {
        builder = builder.clone().with_credentials(instance_credentials(builder, options)?);
    }
    let store = builder.with_retry(retries()).build().map_err(|error| unusable("s3", bucket, error))?;
    Ok(Bucket::s3(Arc::new(store)))
}

fn needs_instance_metadata(options: &BlobOptions) -> bool {
    const ELSEWHERE: [&str; 5] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    !options.is_true("AWS_SKIP_SIGNATURE") && ELSEWHERE.iter().all(|name| options.get(name).is_none())
}

/// Credentials from the machine's metadata service, which answers at once or, outside the cloud, never.
fn instance_credentials(builder: AmazonS3Builder, options: &BlobOptions) -> Result<AwsCredentialProvider> {
    if options.is_true("AWS_EC2_METADATA_DISABLED") {
        return Err(Error::Unavailable {
            message: "no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
        });
    }
    // Two short tries instead of minutes: without credentials, every request would wait that long.
    let impatient = RetryConfig { max_retries: 1, retry_timeout: Duration::from_secs(3), ..RetryConfig::default() };
    let client_options = options
        .client_options("AWS_")
        .with_timeout(Duration::from_secs(2))
        .with_connect_timeout(Duration::from_secs(1));
    let metadata = builder
        .with_client_options(client_options)
        .with_retry(impatient)
        .build()
        .map_err(|error| unusable("s3", "instance credentials", error))?;
    Ok(Arc::clone(metadata.credentials()))
}

fn gcs(bucket: &str, options: &BlobOptions) -> Result<Bucket> {
    let mut builder = GoogleCloudStorageBuilder::new();
    if let Some(path) = options.get("SERVICE_ACCOUNT") {
        builder = builder.with_service_account_path(path);
    }
    for (name, value) in options.with_prefix("GOOGLE_") {
        if let Ok(key) = name.parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_client_options(options.client_options("GOOGLE_"))
        .with_retry(retries())
        .build()
        .map_err(|error| unusable("gs", bucket, error))?;
    Ok(Bucket::gcs(Arc::new(store)))
}

fn azure(container: &str, account: Option<&AzureAccount>, options: &BlobOptions) -> Result<Bucket> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (name, value) in options.with_prefix("AZURE_") {
        if let Ok(key) = name.parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    for (name, value) in options.get("AZURE_STORAGE_CONNECTION_STRING").into_iter().flat_map(connection_settings) {
        builder = match name {
            "AccountName" => builder.with_account(value),
            "AccountKey" => builder.with_access_key(value),
            "BlobEndpoint" => builder.with_endpoint(value.trim_end_matches('/').to_owned()),
            "SharedAccessSignature" => builder.with_config(AzureConfigKey::SasKey, value),
            _ => builder,
        };
    }
    if let Some(account) = account {
        builder = builder.with_account(&account.name);
        // An endpoint in the configuration (an emulator, a private link) takes precedence.
        if builder.get_config_value(&AzureConfigKey::Endpoint).is_none() {
            builder = builder.with_endpoint(format!("https://{}", account.host));
        }
    }
    let mut client_options = options.client_options("AZURE_");
    if builder.get_config_value(&AzureConfigKey::Endpoint).is_some_and(|endpoint| endpoint.starts_with("http://")) {
        client_options = client_options.with_allow_http(true);
    }
    let store = builder
        .with_container_name(container)
        .with_client_options(client_options)
        .with_retry(retries())
        .build()
        .map_err(|error| unusable("az", container, error))?;
    Ok(Bucket::azure(Arc::new(store)))
}

/// The `name=value` pairs of a connection string; values may hold further equals signs.
fn connection_settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';').filter_map(|setting| setting.split_once('='))
}

fn retries() -> RetryConfig {
    RetryConfig { max_retries: 5, retry_timeout: Duration::from_secs(60), ..RetryConfig::default() }
}

fn unusable(scheme: &str, bucket: &str, error: object_store::Error) -> Error {
    Error::Unavailable { message: format!("cannot use artifact storage {scheme}://{bucket}: {error}") }
}
