//! `omtool completions` and `omtool man`.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, Failure, Outcome};

/// For which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArguments {
    /// The shell that will read it.
    shell: Shell,
}

pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<Outcome, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "omtool", &mut out);
    super::input::print(&out)?;
    Ok(Outcome::Clean)
}

/// Prints the manual page: one page with all subcommands after each other, as `man -l -` reads it.
pub(crate) fn man() -> Result<Outcome, Failure> {
    super::input::print(&pages()?)?;
    Ok(Outcome::Clean)
}

fn pages() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut out = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut out)?;
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        clap_mangen::Man::new(subcommand.clone()).render(&mut out)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_and_the_completions_know_every_command() {
        let manual = String::from_utf8(pages().unwrap()).unwrap();
        let mut bash = Vec::new();
        clap_complete::generate(Shell::Bash, &mut Cli::command(), "omtool", &mut bash);
        let bash = String::from_utf8(bash).unwrap();
        for command in Cli::command().get_subcommands() {
            assert!(manual.contains(command.get_name()), "{}", command.get_name());
            assert!(bash.contains(command.get_name()), "{}", command.get_name());
        }
    }

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }
}
