//! The program `xunpin`: flags, printing, progress and exit codes. What it does, the library `xunpin` does.

// A program prints; the lint is for the libraries.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod commands;
mod exit;
mod output;
mod progress;
mod threads;

use std::process::ExitCode;

use clap::Parser;

use args::{BenchCommand, Cli, Command, ModelCommand};
use commands::{bench, delete, embed, eval, index, model, search, stats, verify};

fn main() -> ExitCode {
    let cli = Cli::parse();
    threads::settle(cli.command.threads());
    let done = match cli.command {
        Command::Model(ModelCommand::Pull(args)) => model::pull(&args),
        Command::Model(ModelCommand::List { format }) => model::list(format),
        Command::Model(ModelCommand::Verify { model, format }) => model::verify(&model, format),
        Command::Index(args) => index::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Delete(args) => delete::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Bench(BenchCommand::Embed(args)) => bench::embed(&args),
    };
    exit::code(done)
}
