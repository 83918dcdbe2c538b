use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::IndexError;
use crate::manifest::Folder;

/// What the holder of the lock tells about itself.
#[derive(Serialize, Deserialize)]
struct Holder {
    pid: u32,
    command: String,
    started_unix: u64,
}

/// The right to write to an index: an operating-system lock on `writer.lock`, given back when this is dropped or the
/// process ends, however it ends. The file's text only serves the message to the next one and stays behind.
#[derive(Debug)]
pub struct WriterLock {
    _file: File,
}

/// Takes the right to write to the index at `path` if nobody has it, for a reader that mends what is derived from the
/// store and lies beside it, such as the full-text index. It does not open the index: the store is not to be written
/// with it. `None` where another process, or an [`Index`](crate::Index) of this one, has it, and where the system lets
/// this process write nothing there. Writers are refused while it is held, so give it back soon.
pub fn try_writer_lock(path: impl AsRef<Path>) -> Result<Option<WriterLock>, IndexError> {
    let folder = Folder::new(path.as_ref());
    folder.read_manifest()?;
    match WriterLock::take(&folder.lock(), folder.path()) {
        Ok(lock) => Ok(Some(lock)),
        Err(IndexError::Locked { .. }) => Ok(None),
        Err(IndexError::Io { source, .. })
            if matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl WriterLock {
    /// Takes the lock, or says who holds it. `index` is the folder named in the error.
    pub(crate) fn take(path: &Path, index: &Path) -> Result<Self, IndexError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|e| IndexError::io("open", path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(IndexError::Locked { path: index.into(), holder: describe(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(IndexError::io("lock", path, source)),
        }
        let holder = Holder {
            pid: std::process::id(),
            command: command_line(),
            started_unix: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
        };
        let text = serde_json::to_vec(&holder).unwrap_or_default();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(&text))
            .map_err(|e| IndexError::io("write", path, e))?;
        Ok(Self { _file: file })
    }
}

/// How this process was called, cut to what fits a message.
fn command_line() -> String {
    const LONGEST: usize = 200;
    let words: Vec<_> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{} ...", &line[..cut]),
        None => line,
    }
}

fn describe(file: &mut File) -> String {
    let mut text = String::new();
    let holder = file.read_to_string(&mut text).ok().and_then(|_| serde_json::from_str::<Holder>(&text).ok());
    match holder {
        Some(h) => format!("process {} ({}), since {}", h.pid, h.command, utc(h.started_unix)),
        None => "another process".into(),
    }
}

/// `2026-01-31 08:00:00 UTC`. Days to date after Howard Hinnant's `civil_from_days`.
pub(crate) fn utc(unix: u64) -> String {
    let (days, second) = ((unix / 86_400) as i64 + 719_468, unix % 86_400);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_827_696), "2000-02-29 12:34:56 UTC");
        assert_eq!(utc(4_107_542_399), "2100-02-28 23:59:59 UTC");
    }

    #[test]
    fn second_taker_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("writer.lock");
        let held = WriterLock::take(&path, folder.path()).unwrap();
        let Err(IndexError::Locked { holder, .. }) = WriterLock::take(&path, folder.path()) else { panic!() };
        assert!(holder.contains(&format!("process {} (", std::process::id())), "{holder}");
        drop(held);
        WriterLock::take(&path, folder.path()).unwrap();
    }
}
