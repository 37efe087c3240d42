//! Passwords that a person types, or a program gives on standard input.

use std::io::{IsTerminal, Read};

use anyhow::Context;
use clap::Args;
use console::Term;

use super::Failure;

/// The longest that is read of standard input.
const MOST: u64 = 16 * 1024;

#[derive(Args)]
pub(super) struct NewPassword {
    /// Read the password from standard input instead of asking for it; the current one stands in a line before it
    #[arg(long)]
    password_stdin: bool,
}

/// A password that is typed twice, or the last line of standard input.
pub(super) fn new_password(given: &NewPassword, prompt: &str) -> anyhow::Result<String> {
    if given.password_stdin {
        return line(Place::Last);
    }
    let typed = ask(prompt)?;
    if ask(&format!("{prompt}, again"))? != typed {
        return Err(Failure::usage("the passwords are not the same").hint("type the same one twice").into());
    }
    Ok(typed)
}

/// A password that is known already, typed once, or the first line of standard input.
pub(super) fn current_password(given: &NewPassword, prompt: &str) -> anyhow::Result<String> {
    if given.password_stdin { line(Place::First) } else { ask(prompt) }
}

enum Place {
    First,
    Last,
}

/// Standard input is read once, and kept for who asks for another line.
fn line(place: Place) -> anyhow::Result<String> {
    static GIVEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    if GIVEN.get().is_none() {
        let mut text = String::new();
        std::io::stdin().lock().take(MOST).read_to_string(&mut text).context("cannot read standard input")?;
        let _ = GIVEN.set(text);
    }
    let mut lines = GIVEN.get().map(String::as_str).unwrap_or_default().lines();
    let found = match place {
        Place::First => lines.next(),
        Place::Last => lines.next_back(),
    };
    found.map(str::to_owned).ok_or_else(|| {
        Failure::usage("standard input has no password").hint("printf %s \"$PASSWORD\" | stele ..").into()
    })
}

fn ask(prompt: &str) -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("nobody is there to type a password")
            .hint("give it on standard input with --password-stdin")
            .into());
    }
    eprint!("{prompt}: ");
    Term::stderr().read_secure_line().context("cannot read the password")
}
