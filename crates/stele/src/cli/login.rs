//! `stele login`, `logout` and `whoami`: a token for each server, in a file that only its owner can read.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::http::{Method, StatusCode};
use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, Connection, Payload};
use super::secret::{self, NewPassword};
use super::{Failure, Output};

#[derive(Args)]
pub(crate) struct Login {
    /// The name of the account
    #[arg(long, value_name = "NAME", required_unless_present = "oidc")]
    user: Option<String>,

    /// Log in through the identity provider of the server, in a browser on this device or another
    #[arg(long, conflicts_with_all = ["user", "password_stdin"])]
    oidc: bool,

    #[command(flatten)]
    password: NewPassword,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(crate) struct Logout {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(crate) struct Whoami {
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn login(output: &Output, Login { user, oidc: _, password, connection }: Login) -> Result<()> {
    let client = connection.open().await?;
    let Some(server) = client.server() else {
        return Err(Failure::usage(
            "no server runs over this record, and commands that open it themselves need no login",
        )
        .hint("say where a server is with --server URL or STELE_SERVER")
        .into());
    };
    let made = match &user {
        Some(user) => with_password(client, &server, user, &password).await?,
        None => with_provider(&client).await?,
    };
    let part = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let account = part("account");
    let mut kept = Kept::read()?;
    kept.0.insert(server.clone(), Saved { account: account.clone(), id: part("id"), token: part("token") });
    kept.write()?;
    output.done(format_args!("logged in at {server} as '{account}'"));
    if output.is_json() { output.json(&json!({ "server": server, "account": account })) } else { Ok(()) }
}

async fn with_password(client: Client, server: &str, user: &str, password: &NewPassword) -> Result<Value> {
    let typed = secret::current_password(password, &format!("password of '{user}' at {server}"))?;
    let new = Payload::Json(json!({ "name": "stele login" }));
    client.with_basic(user, &typed).ask(Method::POST, &["accounts", user, "tokens"], &[], new).await
}

/// Tells the person where to go, and waits until they have been there.
async fn with_provider(client: &Client) -> Result<Value> {
    let (_, device) = client.log_in("/oauth/device", &json!({})).await?;
    let text = |name: &str| device.get(name).and_then(Value::as_str).map(super::human::harmless);
    let number = |name: &str, usual: u64| device.get(name).and_then(Value::as_u64).unwrap_or(usual);
    let place = text("verification_uri_complete").or_else(|| text("verification_uri")).unwrap_or_default();
    // Also to a program: somebody must do it.
    eprintln!("open {place} and see that it shows the code {}", text("user_code").unwrap_or_default());
    let interval = Duration::from_secs(number("interval", 5).clamp(1, 60));
    let end = tokio::time::Instant::now() + Duration::from_secs(number("expires_in", 600).min(3600));
    let code = json!({ "device_code": device.get("device_code") });
    while tokio::time::Instant::now() < end {
        tokio::time::sleep(interval).await;
        let (status, made) = client.log_in("/oauth/device/token", &code).await?;
        if status == StatusCode::OK {
            return Ok(made);
        }
    }
    Err(Failure::new("the login was not confirmed in time").hint("`stele login --oidc` begins again").into())
}

pub(super) async fn logout(output: &Output, Logout { connection }: Logout) -> Result<()> {
    let client = connection.open().await?;
    let server = client.server().unwrap_or_default();
    let mut kept = Kept::read()?;
    let Some(Saved { account, id, token: _ }) = kept.0.remove(&server) else {
        return Err(Failure::not_found(format!("nobody is logged in at {server}")).into());
    };
    let revoked = client.send(Method::DELETE, &["accounts", &account, "tokens", &id], &[], Payload::Nothing).await;
    kept.write()?;
    if let Err(error) = revoked {
        output.warn(format_args!("the token could not be revoked: {error:#}"));
    }
    output.done(format_args!("logged out at {server}"));
    if output.is_json() { output.json(&json!({ "server": server })) } else { Ok(()) }
}

pub(super) async fn whoami(output: &Output, Whoami { connection }: Whoami) -> Result<()> {
    let found: Value = connection.open().await?.get(&["identity"], &[]).await?;
    if output.is_json() {
        return output.json(&found);
    }
    let part = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut text = format!("{} ({})\n", part(&found, "name"), part(&found, "kind"));
    for group in found.get("groups").and_then(Value::as_array).into_iter().flatten() {
        text.push_str(&format!("  in group {}\n", group.as_str().unwrap_or_default()));
    }
    for held in found.get("roles").and_then(Value::as_array).into_iter().flatten() {
        let (role, scope, of) = (part(held, "role"), part(held, "scope"), part(held, "of"));
        text.push_str(format!("  {role} of {scope} {of}").trim_end());
        text.push('\n');
    }
    let lines = text.lines().map(super::human::harmless);
    output.text(&lines.map(|line| line + "\n").collect::<String>())
}

/// The token that was kept for a server, if somebody is logged in there.
pub(super) fn saved_token(server: &str) -> Result<Option<String>> {
    Ok(Kept::read()?.0.remove(server).map(|saved| saved.token))
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    account: String,
    id: String,
    token: String,
}

/// By the URL of the server.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Kept(BTreeMap<String, Saved>);

impl Kept {
    fn path() -> Option<PathBuf> {
        let place = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = place("XDG_CONFIG_HOME").or_else(|| place("HOME").map(|home| home.join(".config")))?;
        Some(folder.join("stele").join("logins.json"))
    }

    fn read() -> Result<Kept> {
        let Some(path) = Kept::path() else { return Ok(Kept::default()) };
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Whole or not at all, and readable by nobody else.
    fn write(&self) -> Result<()> {
        let path = Kept::path().context("there is no home folder to keep the login in")?;
        let folder = path.parent().context("there is no folder to keep the login in")?;
        let fresh = path.with_extension(format!("json.{}", std::process::id()));
        let written = || {
            std::fs::create_dir_all(folder)?;
            let _ = std::fs::remove_file(&fresh);
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
            anyhow::Ok(())
        };
        written().with_context(|| format!("cannot write {}", path.display()))
    }
}
