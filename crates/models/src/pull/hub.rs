//! The hub as a source, through the crate `hf-hub`.
//!
//! hf-hub resumes a file that it had begun, but sets no time limit and downloads into a folder of its own
//! layout. So it runs on a thread that sends events, the pull stops listening when they fail to come, and
//! each file leaves hf-hub's folder as soon as it is there.

use super::error::{Cause, PullError, at};
use super::staging::{Staging, empty_folder};
use super::{Counter, Phase, PullEvent};
use crate::home::{env, folder_size};
use crate::manifest::{FileEntry, ModelManifest};
use crate::verify::{FileState, check_file};
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo};
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a file is begun when the connection breaks. Each time it goes on where it broke.
const TRIES: u32 = 3;

/// How to reach the hub.
#[derive(Clone)]
#[non_exhaustive]
pub struct HubOptions {
    /// The hub's address, with its scheme. `None`: hf-hub's own.
    pub endpoint: Option<String>,
    /// The access token that gated models need.
    pub token: Option<String>,
    /// The hub's own cache on this machine (`HF_HOME/hub`), whose files are copied rather than downloaded again.
    pub cache: Option<PathBuf>,
    /// How long to wait for the first answer.
    pub answer_within: Duration,
    /// How long to wait for more once it has answered.
    pub stall_after: Duration,
}

impl Default for HubOptions {
    /// hf-hub's own address, no token, no cache; 10 seconds for the first answer, 60 for more.
    fn default() -> Self {
        let (answer_within, stall_after) = (Duration::from_secs(10), Duration::from_secs(60));
        Self { endpoint: None, token: None, cache: None, answer_within, stall_after }
    }
}

// The token stays out of logs.
impl std::fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubOptions")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "(hidden)"))
            .field("cache", &self.cache)
            .field("answer_within", &self.answer_within)
            .field("stall_after", &self.stall_after)
            .finish()
    }
}

impl HubOptions {
    /// `HF_ENDPOINT`; `HF_TOKEN`, else the token file under `HF_HOME`; the cache under `HF_HOME`, which is
    /// `.cache/huggingface` in the user's folder by default.
    #[must_use]
    pub fn from_env() -> Self {
        let default = || dirs::home_dir().map(|home| home.join(".cache").join("huggingface"));
        let cache = env("HF_HOME").map(PathBuf::from).or_else(default).map(|home| home.join("hub"));
        let saved_token = || cache.clone().and_then(|cache| Cache::new(cache).token());
        let token = env("HF_TOKEN").map(|token| token.trim().to_owned()).or_else(saved_token);
        Self { endpoint: env("HF_ENDPOINT"), token, cache, ..Self::default() }
    }
}

/// Brings the missing files from the hub, or from its cache on this machine, to where finished files wait.
pub(super) fn fetch(
    manifest: &ModelManifest,
    missing: &[FileEntry],
    staging: &Staging,
    options: &HubOptions,
    progress: &mut dyn FnMut(PullEvent),
) -> Result<(), PullError> {
    staging.check_space(missing.iter().map(|file| file.size).sum())?;
    let folder = staging.folder("hub");
    fs::create_dir_all(&folder).map_err(at("create the folder", &folder))?;
    let mut builder = ApiBuilder::from_cache(Cache::new(folder.clone()))
        .with_progress(false)
        .with_token(options.token.clone())
        .with_user_agent("xunpin", env!("CARGO_PKG_VERSION"));
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    let hub_id = manifest.hub_id.clone();
    let failed = |source| PullError::HubProtocol { url: hub_id.clone(), source };
    let api = builder.build().map_err(|error| failed(error.into()))?;
    let (events, heard) = channel();
    let worker = Worker {
        repo: api.model(hub_id.clone()),
        api,
        cached: options.cache.clone().map(|cache| Cache::new(cache).model(hub_id.clone())),
        staging: staging.clone(),
        folder,
        hub_id: hub_id.clone(),
        counter: Counter::new(Phase::Downloading, missing.iter().map(|file| file.size)),
        asked: false,
        events,
    };
    let files = missing.to_vec();
    let thread = thread::spawn(move || worker.run(&files));
    let mut url = hub_id.clone();
    let mut patience = options.stall_after;
    loop {
        match heard.recv_timeout(patience) {
            Ok(event) => {
                if let PullEvent::AskingHub { url: asked } = &event {
                    url.clone_from(asked);
                    patience = options.answer_within;
                } else {
                    patience = options.stall_after;
                }
                progress(event);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            // The thread can't be stopped; it ends at the next thing it has to say.
            Err(RecvTimeoutError::Timeout) => {
                return Err(PullError::HubSilent { url, seconds: patience.as_secs() });
            }
        }
    }
    // hf-hub panics on some answers that no hub gives.
    thread
        .join()
        .unwrap_or_else(|_| Err(PullError::HubProtocol { url, source: "the hub client gave up".into() }))
}

/// What runs on the hub's thread.
struct Worker {
    api: Api,
    repo: ApiRepo,
    cached: Option<CacheRepo>,
    staging: Staging,
    /// hf-hub's folder.
    folder: PathBuf,
    hub_id: String,
    counter: Counter,
    asked: bool,
    events: Sender<PullEvent>,
}

/// Why one try at a file failed.
enum Failure {
    /// It was begun in a way that can't be gone on with.
    Stale,
    /// The connection broke.
    Broken(Cause),
    Final(PullError),
}

impl Worker {
    fn run(mut self, files: &[FileEntry]) -> Result<(), PullError> {
        for file in files {
            let cached = match self.cached.as_ref().and_then(|cache| cache.get(&file.path)) {
                Some(path) => self.copy(&path, file)?,
                None => false,
            };
            if !cached {
                self.download(file)?;
            }
            self.counter.next(file.size);
        }
        Ok(())
    }

    /// Copies a file of the hub's cache if it is the right one.
    fn copy(&self, path: &Path, file: &FileEntry) -> Result<bool, PullError> {
        // A cache that can't be read is no reason to fail: there is the hub.
        let Ok(mut from) = File::open(path) else { return Ok(false) };
        let mut seen = |done| {
            let _ = self.events.send(self.counter.at(&file.path, done, file.size));
        };
        let target = self.staging.file(&file.path);
        let written = self.staging.write(&mut from, &target, file.size, &file.sha256, &mut seen)?;
        Ok(matches!(written, Ok(FileState::Ok)))
    }

    /// Downloads a file, going on with one that was begun, and moves it to where finished files wait.
    fn download(&mut self, file: &FileEntry) -> Result<(), PullError> {
        let url = self.repo.url(&file.path);
        let mut tries = 0;
        loop {
            tries += 1;
            let resumed = self.has_begun();
            match self.download_once(&url, file) {
                Ok(FileState::Ok) => return Ok(()),
                Err(Failure::Stale) if tries < TRIES => empty_folder(&self.folder)?,
                // What had been kept may be the damaged part: once more from the beginning.
                Ok(_) if resumed && tries < TRIES => empty_folder(&self.folder)?,
                Ok(state) => {
                    empty_folder(&self.folder)?;
                    return Err(PullError::Mismatch { file: file.path.clone(), from: url, state });
                }
                Err(Failure::Broken(_)) if tries < TRIES => {
                    thread::sleep(Duration::from_millis(300) * tries);
                }
                Err(Failure::Broken(source)) => return Err(PullError::HubUnreachable { url, source }),
                Err(Failure::Stale) => {
                    let source = "it refuses every range of the file".into();
                    return Err(PullError::HubProtocol { url, source });
                }
                Err(Failure::Final(error)) => return Err(error),
            }
        }
    }

    fn download_once(&mut self, url: &str, file: &FileEntry) -> Result<FileState, Failure> {
        let first = !self.asked;
        if first {
            self.asked = true;
            let _ = self.events.send(PullEvent::AskingHub { url: url.to_owned() });
        }
        // Asked beforehand, so that a file of another length isn't downloaded at all.
        let metadata = self.api.metadata(url).map_err(|error| self.failure(url, error, first))?;
        // hf-hub makes a path of it.
        if !Path::new(metadata.etag()).components().all(|part| matches!(part, Component::Normal(_))) {
            let source = "its etag can't name a file".into();
            return Err(Failure::Final(PullError::HubProtocol { url: url.to_owned(), source }));
        }
        let got = metadata.size() as u64;
        if got != file.size {
            return Ok(FileState::WrongSize { expected: file.size, got });
        }
        self.say(url, self.counter.at(&file.path, 0, file.size))?;
        let bytes = Bytes { worker: self, file, done: 0, said: 0, said_at: Instant::now() };
        let downloaded = self.repo.download_with_progress(&file.path, bytes);
        let pointer = downloaded.map_err(|error| self.failure(url, error, false))?;
        // hf-hub answers with a link to the file proper.
        let path = fs::canonicalize(&pointer).map_err(at("read", &pointer)).map_err(Failure::Final)?;
        let mut stopped = false;
        let mut seen =
            |done| stopped |= self.events.send(self.counter.at(&file.path, done, file.size)).is_err();
        let state =
            check_file(&path, file.size, &file.sha256, &mut seen).map_err(|e| Failure::Final(e.into()))?;
        if stopped {
            return Err(Failure::Final(silent(url)));
        }
        if state == FileState::Ok {
            self.staging.adopt(&path, &file.path).map_err(Failure::Final)?;
        }
        let _ = fs::remove_file(pointer);
        Ok(state)
    }

    /// Whether hf-hub keeps part of a file.
    fn has_begun(&self) -> bool {
        folder_size(&self.folder.join(self.cache_name()).join("blobs")).is_ok_and(|size| size > 0)
    }

    fn cache_name(&self) -> String {
        hf_hub::Repo::model(self.hub_id.clone()).folder_name()
    }

    /// Sends an event; an error when nobody listens any more.
    fn say(&self, url: &str, event: PullEvent) -> Result<(), Failure> {
        self.events.send(event).map_err(|_| Failure::Final(silent(url)))
    }

    fn failure(&self, url: &str, error: ApiError, first: bool) -> Failure {
        let url = url.to_owned();
        let status = match &error {
            // The error's type belongs to a crate that hf-hub doesn't re-export; its text gives the status.
            ApiError::RequestError(error) => {
                error.to_string().strip_prefix("http status: ").and_then(|status| status.parse().ok())
            }
            _ => None,
        };
        let hub_id = self.hub_id.clone();
        match (error, status) {
            (_, Some(416)) | (ApiError::InvalidResume, _) => Failure::Stale,
            (_, Some(status @ (401 | 403))) => Failure::Final(PullError::HubRefused { url, status, hub_id }),
            (_, Some(status)) => Failure::Final(PullError::HubStatus { url, status }),
            (ApiError::IoError(source), _) if is_ours(&source) => {
                Failure::Final(at("write in", &self.folder)(source))
            }
            (ApiError::RequestError(source), _) if first => {
                Failure::Final(PullError::HubUnreachable { url, source })
            }
            (ApiError::RequestError(source), _) => Failure::Broken(source),
            (ApiError::IoError(source), _) => Failure::Broken(source.into()),
            (source, _) => Failure::Final(PullError::HubProtocol { url, source: source.into() }),
        }
    }
}

/// Errors that come from our disk; hf-hub gives those of the connection in the same variant.
fn is_ours(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied)
}

/// Nobody listens any more, so nobody sees this one.
fn silent(url: &str) -> PullError {
    PullError::HubSilent { url: url.to_owned(), seconds: 0 }
}

/// Passes hf-hub's counts on, about once a mebibyte or a second: silence means a stall.
struct Bytes<'a> {
    worker: &'a Worker,
    file: &'a FileEntry,
    done: u64,
    said: u64,
    said_at: Instant,
}

impl hf_hub::api::Progress for Bytes<'_> {
    fn init(&mut self, _size: usize, _name: &str) {
        self.done = 0;
        self.said = 0;
    }

    fn update(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if bytes > 0 && (self.done - self.said >= 1 << 20 || self.said_at.elapsed() >= Duration::from_secs(1))
        {
            self.said = self.done;
            self.said_at = Instant::now();
            // A listener that left is noticed when the file is there.
            let _ =
                self.worker.events.send(self.worker.counter.at(&self.file.path, self.done, self.file.size));
        }
    }

    fn finish(&mut self) {}
}
