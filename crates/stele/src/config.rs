//! Settings: flags, then `STELE_*` variables, then a TOML file, then defaults.
//!
//! A setting is a flag that has a variable. The file has the flag's name with underscores for hyphens, and what it says
//! takes the place of the flag's default; so the order comes from clap, and a new setting is one field of a command's
//! options. `docs/CONFIGURATION.md` lists them all, and a test compares it with the commands.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::builder::OsStr;
use clap::{Arg, CommandFactory, FromArgMatches};

use crate::cli::{Cli, Failure, usage_failure};

/// The file that is read when it is there and nobody names another.
const USUAL_FILE: &str = "stele.toml";

/// Variables of others that are understood when Stele's own is not set.
const FOREIGN: &[(&str, &str)] = &[
    ("STELE_WEBHOOK_ALLOWED_SCHEMES", "MLFLOW_WEBHOOK_ALLOWED_SCHEMES"),
    ("STELE_WEBHOOK_ALLOW_PRIVATE_IPS", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS"),
    ("STELE_WEBHOOK_REQUEST_TIMEOUT", "MLFLOW_WEBHOOK_REQUEST_TIMEOUT"),
    ("STELE_WEBHOOK_REQUEST_MAX_RETRIES", "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES"),
    ("STELE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
];

/// Reads the command line with the settings behind it. `--help` and `--version` end the process here.
pub(crate) fn parse() -> Result<Cli> {
    let line: Vec<OsString> = std::env::args_os().collect();
    let named = named_file(&line).or_else(|| variable("STELE_CONFIG").map(PathBuf::from));
    let file = match file_in_use(named.as_deref()) {
        Some(path) => File::read(path)?,
        None => File::default(),
    };
    let mut command = layered(Cli::command(), &file, &variable)?;
    let parsed = command.try_get_matches_from_mut(&line).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| match usage_failure(&error, &command, &line) {
        Some(failure) => failure.into(),
        None => error.exit(),
    })
}

/// The file that is read when `named` is the one that somebody asks for.
pub(crate) fn file_in_use(named: Option<&Path>) -> Option<&Path> {
    named.or_else(|| Some(Path::new(USUAL_FILE)).filter(|usual| usual.is_file()))
}

/// The value of `--config`, which has to be known before the line can be read with the file's settings behind it.
fn named_file(line: &[OsString]) -> Option<PathBuf> {
    let mut arguments = line.iter().skip(1).take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|argument| argument.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    None
}

/// An empty variable is one that is not set: that is how compose files leave things out.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What a file of settings says.
#[derive(Default)]
struct File {
    path: PathBuf,
    /// By the name of the setting; a list has several values.
    settings: BTreeMap<String, Vec<String>>,
}

impl File {
    fn read(path: &Path) -> Result<File> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("cannot read the settings in {}: {error}", path.display()))
                .hint("name a file that is there with --config, or leave it out")
        })?;
        File::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<File> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let read = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let (line, why) = (read.matches('\n').count() + 1, error.message());
            Failure::usage(format!("{} is not a TOML file: in line {line}: {why}", path.display())).hint(
                "lines look like port = 5001 or data = \"/var/lib/stele\"; docs/CONFIGURATION.md lists the settings",
            )
        })?;
        let mut settings = BTreeMap::new();
        for (name, value) in table {
            let values = values(&value).ok_or_else(|| {
                Failure::usage(format!("{}: '{name}' is not a text, number, boolean or list of these", path.display()))
                    .hint("docs/CONFIGURATION.md lists the settings")
            })?;
            settings.insert(name, values);
        }
        Ok(File { path: path.to_owned(), settings })
    }
}

fn values(value: &toml::Value) -> Option<Vec<String>> {
    let one = |value: &toml::Value| match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(value) => Some(value.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    };
    match value {
        toml::Value::Array(items) => items.iter().map(one).collect(),
        other => one(other).map(|value| vec![value]),
    }
}

/// The name of a setting in the file, if the argument is one.
fn setting_name(arg: &Arg) -> Option<String> {
    arg.get_env()?;
    arg.get_long().map(|long| long.replace('-', "_")).filter(|name| name != "config")
}

/// The command with the settings of the file, and of variables of others, as defaults.
fn layered(command: clap::Command, file: &File, variable: &impl Fn(&str) -> Option<String>) -> Result<clap::Command> {
    let mut known = BTreeSet::new();
    let mut refused = None;
    let command = with_defaults(command, &mut |arg| {
        let Some(name) = setting_name(&arg) else { return arg };
        let given = file.settings.get(&name);
        if let Some(values) = given.filter(|_| known.insert(name.clone()))
            && let Err(error) = accepts(&arg, values)
        {
            refused.get_or_insert_with(|| refusal(file, &name, &error));
        }
        layer(arg, given, variable)
    });
    if let Some(refused) = refused {
        return Err(refused);
    }
    if let Some(unknown) = file.settings.keys().find(|name| !known.contains(*name)) {
        return Err(Failure::usage(format!("{}: there is no setting '{unknown}'", file.path.display()))
            .hint("docs/CONFIGURATION.md lists the settings; their names have underscores")
            .into());
    }
    Ok(command)
}

fn with_defaults(command: clap::Command, default: &mut impl FnMut(Arg) -> Arg) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let mut command = command.mut_args(&mut *default);
    for name in names {
        command = command.mut_subcommand(name, |command| with_defaults(command, default));
    }
    command
}

/// The argument with its variable and what stands behind it.
fn layer(mut arg: Arg, given: Option<&Vec<String>>, variable: &impl Fn(&str) -> Option<String>) -> Arg {
    let name = arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let foreign = FOREIGN.iter().find(|(own, _)| *own == name).and_then(|(_, foreign)| variable(foreign));
    let default = foreign.map(|value| vec![value]).or_else(|| given.cloned());
    if let Some(values) = default {
        let secret = arg.is_hide_env_values_set();
        arg = arg.default_values(values.into_iter().map(OsStr::from)).hide_default_value(secret);
    }
    if variable(&name).is_none() { arg.env(None::<&'static str>) } else { arg }
}

/// Whether the argument takes these values.
fn accepts(arg: &Arg, values: &[String]) -> Result<(), clap::Error> {
    let long = arg.get_long().unwrap_or_default();
    let alone = arg.clone().env(None::<&'static str>).required(false).global(false);
    let command = clap::Command::new("settings").no_binary_name(true).disable_help_flag(true).arg(alone);
    command.try_get_matches_from(values.iter().map(|value| format!("--{long}={value}"))).map(drop)
}

fn refusal(file: &File, name: &str, error: &clap::Error) -> anyhow::Error {
    use std::error::Error;

    let cause = error.source().map_or_else(|| error.kind().to_string(), ToString::to_string);
    Failure::usage(format!("{}: '{name}' cannot be used: {cause}", file.path.display()))
        .hint("docs/CONFIGURATION.md says what each setting takes")
        .into()
}

#[cfg(test)]
mod tests;
