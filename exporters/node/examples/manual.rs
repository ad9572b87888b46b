//! Writes the man page and the completions of `node-exporter` into a folder:
//! `cargo run -p openmetrics-node-exporter --example manual -- target/manual`

use std::io::{Error, Result};
use std::path::PathBuf;

use clap_complete::Shell;

fn main() -> Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(Error::other("name the folder to write into"));
    };
    std::fs::create_dir_all(&folder)?;
    let mut command = openmetrics_node_exporter::args::command();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let path = clap_complete::generate_to(shell, &mut command, "node-exporter", &folder)?;
        println!("{}", path.display());
    }
    let page = folder.join("node-exporter.1");
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    std::fs::write(&page, text)?;
    println!("{}", page.display());
    Ok(())
}
