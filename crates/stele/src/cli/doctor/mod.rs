//! Looks at everything that a server stands on, and says how to mend what is wrong. Nothing is changed, but for a probe
//! file among the artifacts and one in the data folder, which are removed again.

mod artifacts;
mod database;
mod machine;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use console::{Style, style};
use serde::Serialize;

use self::database::Looked;
use super::serve::Serve;
use super::{Failure, Global, Output};
use crate::beacon::Beacon;
use crate::config;
use crate::login::oidc::Provider;
use crate::observe::Spans;

#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    serve: Serve,

    /// Read a large SQLite file whole, however long that takes
    #[arg(long)]
    thorough: bool,
}

/// What one look has found.
#[derive(Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Serialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Failed,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Finding {
        Finding { check, state: State::Ok, message: message.into(), hint: None }
    }

    fn warning(check: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { check, state: State::Warning, message: message.into(), hint: Some(hint.into()) }
    }

    fn failed(check: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { state: State::Failed, ..Finding::warning(check, message, hint) }
    }
}

pub(super) async fn run(output: &Output, global: &Global, options: Doctor) -> anyhow::Result<ExitCode> {
    let Doctor { serve, thorough } = options;
    let beacon = Beacon::seen(&serve.place.data);
    let Looked { findings: of_database, authentication } = database::check(&serve.place, thorough).await;
    let mut findings = vec![configuration(global, &serve, authentication)];
    let server = server(beacon.as_ref(), serve.operations.tls_cert.as_deref()).await;
    let running = server.as_ref().is_some_and(|finding| finding.state == State::Ok);
    findings.extend(server);
    findings.push(machine::data_folder(&serve.place.data));
    findings.extend(of_database);
    let destination = serve.place.artifact_destination();
    findings.push(artifacts::check(&destination).await);
    findings.extend(machine::disk_space(&serve.place.data, artifacts::folder(&destination).as_deref()));
    findings.push(machine::port(serve.host, serve.port, beacon.as_ref().filter(|_| running)));
    findings.extend(machine::open_files());
    let failed = findings.iter().filter(|finding| finding.state == State::Failed).count();
    if output.is_json() {
        output.json(&serde_json::json!({ "healthy": failed == 0, "findings": findings }))?;
    } else {
        output.text(&report(&findings))?;
        let warnings = findings.iter().filter(|finding| finding.state == State::Warning).count();
        output.say(match (failed, warnings) {
            (0, 0) => "everything is well".to_owned(),
            (0, warnings) => format!("well enough: {}", super::human::count(warnings, "warning")),
            (failed, _) => format!("not well: {}", super::human::count(failed, "problem")),
        });
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { check, state, message, hint } in findings {
        let mark = match state {
            State::Ok => style("✓").green(),
            State::Warning => style("!").yellow().bold(),
            State::Failed => style("✗").red().bold(),
        };
        text.push_str(&format!("{mark} {}  {message}\n", Style::new().bold().apply_to(format!("{check:width$}"))));
        if let Some(hint) = hint {
            text.push_str(&format!("  {:width$}  {} {hint}\n", "", style("hint:").cyan()));
        }
    }
    text
}

/// That it can be read is clear by now; whether it goes together, and the files that it names are there, is not.
/// `authentication` is whether the record has any, if it could be asked.
fn configuration(global: &Global, serve: &Serve, authentication: Option<bool>) -> Finding {
    const CHECK: &str = "configuration";

    let file = match config::file_in_use(global.config.as_deref()) {
        Some(file) => format!("flags, variables and {}", file.display()),
        None => "flags and variables; no file".to_owned(),
    };
    if let Err(error) = settings(serve) {
        let hint = Failure::hint_of(&error).unwrap_or("docs/CONFIGURATION.md says what each setting takes");
        return Finding::failed(CHECK, format!("{error:#}"), hint);
    }
    if !serve.host.is_loopback() && authentication == Some(false) {
        return Finding::warning(
            CHECK,
            format!("the server refuses to listen on {} unless the record has authentication", serve.host),
            "`stele auth init` makes the first administrator and turns authentication on",
        );
    }
    Finding::ok(CHECK, file)
}

/// Reads what a server would read before it opens the record.
fn settings(serve: &Serve) -> anyhow::Result<()> {
    serve.place.given_secret_key()?;
    serve.operations.check()?;
    serve.operations.otlp_endpoint.as_deref().map(Spans::to).transpose()?;
    Provider::configured(&serve.oidc, "http://127.0.0.1")?;
    Ok(())
}

/// Whether the server of the data folder answers; `certificate` is the file of the one that it shows.
async fn server(beacon: Option<&Beacon>, certificate: Option<&Path>) -> Option<Finding> {
    const CHECK: &str = "server";

    let Beacon { url, pid, instance } = beacon?;
    Some(match super::client::instance_at(url, certificate).await {
        Ok(answering) if answering == *instance => Finding::ok(CHECK, format!("running at {url}, process {pid}")),
        Ok(_) => Finding::warning(
            CHECK,
            format!("another server answers at {url} than the one that the data folder tells of"),
            "the one of this folder was killed; start it again on another port",
        ),
        Err(error) => Finding::warning(
            CHECK,
            format!("the one that ran at {url} (process {pid}) is not to be had: {error:#}"),
            "it was killed, unless it still starts; `stele serve` starts it again",
        ),
    })
}
