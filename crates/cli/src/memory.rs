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

#[cfg(test)]
mod tests {
    use super::*;

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
