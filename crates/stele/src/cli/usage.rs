//! Lines that the command line does not understand, told like every other failure.

use std::ffi::OsString;

use clap::Command;
use clap::error::ErrorKind;

use super::Failure;

/// What is wrong with a line, and how it may be meant. Nothing when the line asks for help or the version, or when there
/// is so little of it that help is the answer: clap prints these itself.
pub(crate) fn failure(error: &clap::Error, command: &Command, line: &[OsString]) -> Option<Failure> {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help || !error.use_stderr() {
        return None;
    }
    // Paragraphs: what is wrong, with what could be given in lines below it; tips; the usage; where help is.
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(one_line);
    let wrong = paragraphs.next().unwrap_or_default();
    let mut hints = Vec::new();
    for paragraph in paragraphs {
        if let Some(tips) = paragraph.strip_prefix("tip: ") {
            hints.extend(tips.split(" tip: ").map(str::to_owned));
        } else if let Some(usage) = paragraph.strip_prefix("Usage: ")
            && error.kind() == ErrorKind::MissingRequiredArgument
        {
            hints.push(usage.to_owned());
        }
    }
    hints.push(format!("`{} --help` says what there is", named(command, line)));
    Some(Failure::usage(wrong.strip_prefix("error: ").unwrap_or(&wrong)).hint(hints.join("; ")))
}

fn one_line(paragraph: &str) -> String {
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The command that the line is about, as far as it names one: `stele models stage`.
fn named(command: &Command, line: &[OsString]) -> String {
    let (mut name, mut command) = (command.get_name().to_owned(), command);
    for word in line.iter().skip(1) {
        if let Some(found) = command.find_subcommand(word) {
            name = format!("{name} {}", found.get_name());
            command = found;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn told(line: &str) -> Option<String> {
        let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let mut command = Cli::command();
        let error = command.try_get_matches_from_mut(&line).unwrap_err();
        failure(&error, &command, &line).map(|failure| failure.in_full())
    }

    #[test]
    fn a_line_that_is_not_understood_has_a_hint() {
        for (line, expected) in [
            (
                "stele run list",
                "unrecognized subcommand 'run'\nhint: a similar subcommand exists: 'runs'; `stele --help` says what there is",
            ),
            (
                "stele models stage churn 1 prod",
                "invalid value 'prod' for '<STAGE>' [possible values: none, staging, production, archived]\nhint: a \
                 similar value exists: 'production'; `stele models stage --help` says what there is",
            ),
            (
                "stele runs list -n 0",
                "invalid value '0' for '--limit <COUNT>': 0 is not in 1..=1000000\nhint: `stele runs list --help` says \
                 what there is",
            ),
            (
                "stele models stage",
                "the following required arguments were not provided: <MODEL> <VERSION> <STAGE>\nhint: stele models stage \
                 <MODEL> <VERSION> <STAGE>; `stele models stage --help` says what there is",
            ),
            (
                "stele --jsn runs list",
                "unexpected argument '--jsn' found\nhint: a similar argument exists: '--json'; `stele runs list --help` \
                 says what there is",
            ),
        ] {
            assert_eq!(told(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn help_is_no_failure() {
        for line in ["stele --help", "stele runs --help", "stele --version", "stele runs", "stele help runs"] {
            assert_eq!(told(line), None, "{line}");
        }
    }
}
