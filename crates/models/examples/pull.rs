//! Pulls a known model and draws its progress: `cargo run --release -p xunpin-models --example pull [NAME]`.
//!
//! `XUNPIN_HOME` says where to, `XUNPIN_WHEELS` names a folder of wheels for a machine without a network.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::io::Write;
use std::process::ExitCode;
use xunpin_models::{PullEvent, PullOptions, find, pull};

fn run(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut phase = None;
    let report = pull(find(name)?, &PullOptions::from_env()?, &mut |event| match event {
        PullEvent::AskingHub { url } => eprintln!("asking {url}"),
        PullEvent::HubFailed { reason } => eprintln!("{reason}\nGoing on with Python packages."),
        PullEvent::Progress(p) => {
            if phase.replace(p.phase).is_some_and(|before| before != p.phase) {
                eprintln!();
            }
            let percent = p.done * 100 / p.total.max(1);
            eprint!("\r{:?} {}/{} {percent}% {:<40}", p.phase, p.index, p.count, p.item);
            // A terminal that can't be written to is no reason to stop.
            let _ = std::io::stderr().flush();
        }
        PullEvent::Installing { folder } => eprintln!("\nmoving to {}", folder.display()),
        _ => {}
    })?;
    println!("{} is at {} ({:?}, {:.1?})", report.name, report.folder.display(), report.from, report.took);
    println!("Licence: {}. {}", report.licence.name, report.licence.notice.unwrap_or_default());
    Ok(())
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_else(|| "embeddinggemma-300m".to_owned());
    match run(&name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}
