//! What the running process holds in memory, where the system tells (Linux).

use serde::{Deserialize, Serialize};

/// In bytes. From `/proc/self/status`; see proc_pid_status(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident now: `VmRSS`, which is `anonymous` and `files` together.
    pub(crate) resident: u64,
    /// Of those, what the process itself filled: `RssAnon`.
    pub(crate) anonymous: u64,
    /// Of those, what is mapped from files and could be dropped and read again: `RssFile`.
    pub(crate) files: u64,
    /// The most that was resident at a time: `VmHWM`.
    pub(crate) peak: u64,
}

impl Memory {
    /// Of this process, now.
    pub(crate) fn now() -> Option<Self> {
        Self::read(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    fn read(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kibibytes * 1024)
        };
        Some(Self {
            resident: field("VmRSS")?,
            anonymous: field("RssAnon")?,
            files: field("RssFile")?,
            peak: field("VmHWM")?,
        })
    }
}

/// What is resident of an index's mapped files. From `/proc/self/smaps`; see proc_pid_smaps(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mapped {
    /// Of graphs and codes (`*.xpg`).
    pub(crate) graphs: u64,
    /// Of the vectors (`*.xpv`).
    pub(crate) vectors: u64,
}

impl Mapped {
    /// In this process, now.
    pub(crate) fn now() -> Option<Self> {
        Some(Self::read(&std::fs::read_to_string("/proc/self/smaps").ok()?))
    }

    fn read(smaps: &str) -> Self {
        let (mut mapped, mut other) = (Self { graphs: 0, vectors: 0 }, 0);
        let mut file = "";
        for line in smaps.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("Rss:") => {
                    let kibibytes: u64 = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
                    let sum = match file.rsplit_once('.') {
                        Some((_, "xpg")) => &mut mapped.graphs,
                        Some((_, "xpv")) => &mut mapped.vectors,
                        _ => &mut other,
                    };
                    *sum += kibibytes * 1024;
                }
                // A mapping begins with its addresses, and ends with its file.
                Some(first) if !first.ends_with(':') => file = line,
                _ => {}
            }
        }
        mapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_files_are_told_apart() {
        let smaps = "7f00-7f10 r--s 00000000 fe:01 12 /a b/segment-00000001.xpg\nSize: 64 kB\nRss: 20 kB\nPss: 9 kB\n\
                     7f10-7f20 r--s 00000000 fe:01 13 /a b/segment-00000001.xpv\nRss: 8 kB\n\
                     7f20-7f30 rw-p 00000000 00:00 0\nRss: 100 kB\n7f30-7f40 r--s 0 fe:01 14 /x.xpv (deleted)\nRss: 4 kB\n";
        assert_eq!(Mapped::read(smaps), Mapped { graphs: 20 << 10, vectors: 8 << 10 });
        assert!(!cfg!(target_os = "linux") || Mapped::now().is_some());
    }

    #[test]
    fn the_status_file_is_read() {
        let status =
            "Name:\txunpin\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nRssAnon:\t     512 kB\nRssFile:\t 512 kB\n";
        let half = 512 << 10;
        let memory = Memory { resident: 1 << 20, anonymous: half, files: half, peak: 2 << 20 };
        assert_eq!(Memory::read(status), Some(memory));
        assert_eq!(Memory::read("Name:\tother system\n"), None);
        if cfg!(target_os = "linux") {
            let now = Memory::now().unwrap();
            assert!(now.peak >= now.resident && now.resident > 100_000, "{now:?}");
        }
    }
}
