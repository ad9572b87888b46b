//! The man page and the completions of an exporter, made from its command line.

use std::io::{Error, Result};
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

/// Writes them into the folder that the process' first argument names, and says what it has written: the whole of an
/// example called `manual`.
///
/// ```no_run
/// use clap::Command;
///
/// openmetrics_exporter_toolkit::write_manual(Command::new("demo"))?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_manual(mut command: Command) -> Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(Error::other("name the folder to write into"));
    };
    std::fs::create_dir_all(&folder)?;
    let name = command.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let path = clap_complete::generate_to(shell, &mut command, &name, &folder)?;
        println!("{}", path.display());
    }
    let page = folder.join(format!("{name}.1"));
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    std::fs::write(&page, text)?;
    println!("{}", page.display());
    Ok(())
}
