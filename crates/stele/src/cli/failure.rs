use std::fmt;
use std::io;
use std::process::ExitCode;

use console::style;

/// Why a command did not do what was asked, with what would mend it.
///
/// The message is lowercase, without a final period, and names what was asked and of what. The hint is a command or a
/// setting to try.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
    /// The code of the problem that the native API answered with, if it did.
    problem: Option<String>,
}

/// What the process ends with; `docs/CLI.md` lists these.
mod code {
    pub(super) const FAILED: u8 = 1;
    pub(super) const USAGE: u8 = 2;
    pub(super) const NOT_FOUND: u8 = 3;
    pub(super) const UNREACHABLE: u8 = 4;
    pub(super) const GATE: u8 = 5;
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: None, code: code::FAILED, problem: None }
    }

    /// The command was given something that it does not understand.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { code: code::USAGE, ..Failure::new(message) }
    }

    /// What was asked for is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Failure {
        Failure { code: code::NOT_FOUND, ..Failure::new(message) }
    }

    /// No server or database answers.
    pub(crate) fn unreachable(message: impl Into<String>) -> Failure {
        Failure { code: code::UNREACHABLE, ..Failure::new(message) }
    }

    /// A gate refused.
    pub(crate) fn gate(message: impl Into<String>) -> Failure {
        Failure { code: code::GATE, ..Failure::new(message) }
    }

    /// What would mend an error, if it says that.
    pub(crate) fn hint_of(error: &anyhow::Error) -> Option<&str> {
        error.chain().find_map(|cause| cause.downcast_ref::<Failure>())?.hint.as_deref()
    }

    /// Whether an error says that nothing answers.
    pub(crate) fn is_unreachable(error: &anyhow::Error) -> bool {
        error.downcast_ref::<Failure>().is_some_and(|failure| failure.code == code::UNREACHABLE)
    }

    #[must_use]
    pub(crate) fn problem(self, problem: String) -> Failure {
        Failure { problem: Some(problem), ..self }
    }

    /// Whether the native API answered with this problem.
    pub(crate) fn is(&self, problem: &str) -> bool {
        self.problem.as_deref() == Some(problem)
    }

    /// Whether an error says that what was asked for is not there.
    pub(crate) fn is_not_found(error: &anyhow::Error) -> bool {
        error.downcast_ref::<Failure>().is_some_and(|failure| failure.code == code::NOT_FOUND)
    }

    /// What is printed of it.
    #[cfg(test)]
    pub(crate) fn in_full(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        format!("{}{hint}", self.message)
    }

    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Failure {
        Failure { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Tells the person what went wrong, and gives the code to exit with.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        // Whoever reads, such as `head`, has enough.
        return ExitCode::SUCCESS;
    }
    eprintln!("{} {error:#}", style("error:").for_stderr().red().bold());
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    if let Some(hint) = Failure::hint_of(error) {
        eprintln!("{} {hint}", style("hint:").for_stderr().cyan().bold());
    }
    ExitCode::from(failure.map_or(code::FAILED, |failure| failure.code))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
