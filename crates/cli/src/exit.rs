//! Exit codes, decided here alone: 0 done, 1 done with rejected input or no match, 2 wrong use, 3 failed.

use std::fmt;
use std::io;
use std::process::ExitCode;

use xunpin::EngineError;

use crate::output;

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// All of it.
    Fully,
    /// Something was rejected, not found, or did not match.
    Partly,
}

/// Marks an error as the caller's: exit code 2.
#[derive(Debug)]
pub(crate) struct WrongUse(pub(crate) String);

impl fmt::Display for WrongUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUse {}

/// Turns any error into the caller's, its message kept with those of its causes.
pub(crate) fn wrong_use(error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    anyhow::Error::new(WrongUse(chain(&anyhow::Error::new(error))))
}

/// The exit code of a command; prints its error, if any, to standard error.
pub(crate) fn code(done: anyhow::Result<Done>) -> ExitCode {
    match done {
        Ok(Done::Fully) => ExitCode::SUCCESS,
        Ok(Done::Partly) => ExitCode::from(1),
        // The reader of our output has seen enough, as `head` has.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::tell(format_args!("xunpin: {}", chain(&error)));
            ExitCode::from(if is_wrong_use(&error) { 2 } else { 3 })
        }
    }
}

/// The error and its causes in one line each said once: transparent layers repeat their source's words.
fn chain(error: &anyhow::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !told.iter().any(|t| t.contains(&text)) {
            told.push(text);
        }
    }
    told.join(": ")
}

fn is_wrong_use(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<WrongUse>() || cause.downcast_ref::<EngineError>().is_some_and(EngineError::is_wrong_use)
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
}
