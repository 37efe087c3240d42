use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Output};

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(output: &Output, options: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "stele", &mut script);
    output.text(&String::from_utf8_lossy(&script))
}
