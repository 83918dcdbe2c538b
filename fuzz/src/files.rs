use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// One folder a process, in memory where the system has such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = base.join(format!("xunpin-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    folder
});

/// Runs `work` with the path of a file of that name and these bytes, for readers that take nothing else.
pub fn with_file<T>(name: &str, bytes: &[u8], work: impl FnOnce(&Path) -> T) -> T {
    let path = FOLDER.join(name);
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    let done = work(&path);
    let _ = std::fs::remove_file(&path);
    done
}
