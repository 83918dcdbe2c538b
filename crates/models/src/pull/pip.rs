//! Running `pip download`. The package index is reached through pip alone, so its settings hold.

use super::error::PullError;
use crate::home::folder_size;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// How often pip's folders are looked at.
const TICK: Duration = Duration::from_millis(50);

/// How much of what pip said is told.
const LAST_LINES: usize = 8;

/// Downloads the wheel of one version of a package into a folder. Only ever a wheel, and without its
/// dependencies: nothing is built, installed or imported. `temporary` becomes pip's temporary folder, so that
/// its use of the disk is on our disk and can be watched; `seen` gets the bytes there and in `folder`.
pub(super) fn download(
    python: Option<&[String]>,
    package: &str,
    version: &str,
    folder: &Path,
    temporary: &Path,
    seen: &mut dyn FnMut(u64),
) -> Result<(), PullError> {
    let (program, mut child) = start(python, &format!("{package}=={version}"), folder, temporary)?;
    let mut pipe = child.stderr.take();
    // Read beside the waiting: a full pipe would hold pip up.
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        // What can't be read is missing from the message, no more.
        let _ = pipe.as_mut().map(|pipe| pipe.read_to_end(&mut said));
        String::from_utf8_lossy(&said).into_owned()
    });
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {}
            Err(source) => return Err(PullError::PythonMissing { program, source }),
        }
        seen(folder_size(temporary).unwrap_or(0).max(folder_size(folder).unwrap_or(0)));
        thread::sleep(TICK);
    };
    let said = reader.join().unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    if said.contains("No module named pip") {
        return Err(PullError::PipMissing { program });
    }
    let package = format!("{package} {version}");
    Err(PullError::PipFailed { package, status: status.to_string(), stderr: last_lines(&said) })
}

/// Starts pip with the Python that was given, or the first that exists. Says which it was.
fn start(
    python: Option<&[String]>,
    requirement: &str,
    folder: &Path,
    temporary: &Path,
) -> Result<(String, Child), PullError> {
    let usual = [["python3".to_owned()], ["python".to_owned()]];
    let candidates = match python {
        Some(given) => vec![given],
        None => usual.iter().map(<[String; 1]>::as_slice).collect(),
    };
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "no program is named");
    let mut tried = String::new();
    for candidate in candidates {
        let Some((program, arguments)) = candidate.split_first() else { continue };
        let spawned = Command::new(program)
            .args(arguments)
            .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"])
            .args(["--no-input", "--progress-bar=off", "--disable-pip-version-check", "--dest"])
            .arg(folder)
            .arg(requirement)
            .envs(["TMPDIR", "TEMP", "TMP"].map(|name| (name, temporary)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        tried.clone_from(program);
        match spawned {
            Ok(child) => return Ok((tried, child)),
            Err(error) => failure = error,
        }
    }
    Err(PullError::PythonMissing { program: tried, source: failure })
}

fn last_lines(said: &str) -> String {
    let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_pip_said() {
        let said: String = (0..20).map(|n| format!("line {n}\n\n")).collect();
        assert_eq!(last_lines(&said).lines().next(), Some("line 12"));
        assert_eq!(last_lines(""), "");
    }
}
