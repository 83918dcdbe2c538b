//! The program `xunpin`: flags, printing, progress and exit codes. What it does, the library `xunpin` does.

// A program prints; the lint is for the libraries.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![deny(unsafe_code)]

mod args;
mod commands;
mod exit;
mod memory;
mod output;
mod progress;
mod stop;
#[allow(unsafe_code)] // sets a variable of the environment before any thread starts
mod threads;

use std::process::ExitCode;

use clap::Parser;

use args::{BenchCommand, Cli, Command, ModelCommand, Word2VecCommand};
use commands::{
    bench, compact, delete, embed, eval, index, model, rebuild, search, snapshot, stats, tune, verify,
    word2vec,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    threads::settle(cli.command.threads());
    let done = match cli.command {
        Command::Model(ModelCommand::Pull(args)) => model::pull(&args),
        Command::Model(ModelCommand::Prepare(args)) => model::prepare(&args),
        Command::Model(ModelCommand::List { format }) => model::list(format),
        Command::Model(ModelCommand::Verify { model, format }) => model::verify(&model, format),
        Command::Index(args) => index::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::Compact(args) => compact::run(&args),
        Command::Snapshot(args) => snapshot::take(&args),
        Command::Restore(args) => snapshot::restore(&args),
        Command::Delete(args) => delete::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Word2vec(Word2VecCommand::Train(args)) => word2vec::train(&args),
        Command::Word2vec(Word2VecCommand::Import(args)) => word2vec::import(&args),
        Command::Word2vec(Word2VecCommand::Export(args)) => word2vec::export(&args),
        Command::Word2vec(Word2VecCommand::Similar(args)) => word2vec::similar(&args),
        Command::Word2vec(Word2VecCommand::Analogy(args)) => word2vec::analogy(&args),
        Command::Bench(BenchCommand::Embed(args)) => bench::embed(&args),
        Command::Bench(BenchCommand::Cell(args)) => bench::cell(&args),
        Command::Bench(BenchCommand::Cold(args)) => bench::cold(&args),
        Command::Bench(BenchCommand::Search(args)) => bench::search(&args),
        Command::Bench(BenchCommand::Generate(args)) => bench::generate(&args),
        Command::Bench(BenchCommand::Build(args)) => bench::build(&args),
        Command::Bench(BenchCommand::Churn(args)) => bench::churn(&args),
        Command::Bench(BenchCommand::Probe(args)) => bench::probe(&args),
    };
    let code = exit::code(done);
    bench::tell();
    code
}
