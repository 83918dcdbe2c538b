//! Running this program again: what is measured of a process needs a process of its own.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::memory::Memory;

/// Set for a child whose memory is wanted; see [`tell`].
const VARIABLE: &str = "XUNPIN_TELL_MEMORY";
/// How the line begins that tells it.
const PREFIX: &str = "memory: ";

/// What a child left.
pub(super) struct Ran {
    pub(super) stdout: Vec<u8>,
    /// At its end.
    pub(super) memory: Option<Memory>,
    /// From its start to its end, as its parent sees them.
    pub(super) took: Duration,
}

/// At the end of `main`: tells what this process held in memory, as the last line on standard error, if its parent wants
/// to know.
pub(crate) fn tell() {
    if std::env::var_os(VARIABLE).is_some()
        && let Some(memory) = Memory::now()
    {
        eprintln!("{PREFIX}{}", serde_json::json!(memory));
    }
}

/// Runs this program with `args`. What it says on standard error goes to ours, but for the last line. Ends with an error
/// unless it exits with 0 or, where some results are no failure, 1.
pub(super) fn run(args: &[String]) -> anyhow::Result<Ran> {
    let program = std::env::current_exe().context("the program's own file can't be found")?;
    let mut command = Command::new(&program);
    command.args(args).env(VARIABLE, "1").stdin(Stdio::null());
    let started = Instant::now();
    let output = command.output().with_context(|| format!("{}: cannot be run", program.display()))?;
    let took = started.elapsed();
    read(output, took)
}

fn read(output: Output, took: Duration) -> anyhow::Result<Ran> {
    let said = String::from_utf8_lossy(&output.stderr);
    let mut memory = None;
    let mut rest = Vec::new();
    for line in said.lines() {
        match line.strip_prefix(PREFIX).and_then(|told| serde_json::from_str(told).ok()) {
            Some(told) => memory = Some(told),
            None => rest.push(line),
        }
    }
    if !matches!(output.status.code(), Some(0 | 1)) {
        let reason = rest.join("\n");
        let reason = reason.strip_prefix("xunpin: ").unwrap_or(&reason).to_owned();
        return match output.status.code() {
            Some(2) => Err(crate::exit::WrongUse(reason).into()),
            _ => Err(anyhow::anyhow!("a process of the measurement failed ({}): {reason}", output.status)),
        };
    }
    rest.iter().for_each(|line| eprintln!("{line}"));
    Ok(Ran { stdout: output.stdout, memory, took })
}
