//! Writes what a package holds besides the program: manual pages and shell completions, both made from
//! the very command line that the program parses.
//!
//! `cargo run --features assets --bin sealcam-assets -- FOLDER`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use sealcam::camera::args::Cli;

fn main() -> ExitCode {
    let mut folders = env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), None) = (folders.next(), folders.next()) else {
        eprintln!("sealcam-assets: give one folder to write into");
        return ExitCode::from(2);
    };
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("sealcam-assets: {}: {why}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut command = Cli::command();
    command.build();
    manuals(&command, "sealcam", folder)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, &mut Cli::command(), "sealcam", folder)?;
    }
    Ok(())
}

/// The page of a command, and those of all commands below it, which it names.
fn manuals(command: &Command, name: &str, folder: &Path) -> io::Result<()> {
    manual(command, name, folder)?;
    for part in command.get_subcommands() {
        manuals(part, &format!("{name}-{}", part.get_name()), folder)?;
    }
    Ok(())
}

/// One page of section 1. It carries no date, so that two packages of one version are the same.
fn manual(command: &Command, name: &str, folder: &Path) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let page = Man::new(command.clone())
        .title(name)
        .section("1")
        .source(format!("sealcam {version}"))
        .manual("sealcam");
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(folder.join(format!("{name}.1")), text)
}
