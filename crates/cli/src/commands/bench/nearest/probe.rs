use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use xunpin::index::{Index, SearchOptions};
use xunpin::{EngineError, Strategy};
use xunpin_core::DocSet;

use super::super::{child, round};
use super::truth::Asked;
use crate::args::BenchProbeArgs;
use crate::exit::Done;
use crate::memory::{Mapped, Memory};
use crate::output;

/// Vectors that an exact scan's queries are compared with in one round, about: more queries would take minutes.
const SCANNED: usize = 20_000_000;
const FEWEST_EXACT: usize = 10;

/// What one process saw.
#[derive(Serialize, Deserialize)]
pub(super) struct Probe {
    pub(super) products: usize,
    pub(super) segments: usize,
    /// Candidates of the widest segment's own walk.
    pub(super) ef: usize,
    /// Opening the index.
    pub(super) open_ms: f64,
    /// Opening it and one walk.
    pub(super) first_answer_ms: f64,
    /// After that.
    pub(super) memory_opened: Option<Held>,
    /// After every query has walked once.
    pub(super) memory_searched: Option<Held>,
    pub(super) settings: Vec<Timed>,
}

/// Memory of a process that has an index open.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Held {
    #[serde(flatten)]
    pub(super) memory: Memory,
    /// Of the index's files that are mapped.
    pub(super) mapped: Mapped,
}

/// One way of asking.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setting {
    pub(super) strategy: Strategy,
    /// Products kept of a thousand.
    pub(super) kept: u32,
    /// `None`: the index's own.
    pub(super) ef: Option<usize>,
}

/// One way of asking, timed.
#[derive(Serialize, Deserialize)]
pub(super) struct Timed {
    #[serde(flatten)]
    pub(super) setting: Setting,
    pub(super) recall: f64,
    /// Mean of the vectors that a query was compared with.
    pub(super) scanned: f64,
    /// Of each round, of each query, in milliseconds.
    pub(super) rounds: Vec<Vec<f32>>,
}

impl Held {
    fn now() -> Option<Self> {
        Some(Self { memory: Memory::now()?, mapped: Mapped::now()? })
    }
}

/// Prints one line of JSON, [`Probe`].
pub(crate) fn probe(args: &BenchProbeArgs) -> anyhow::Result<Done> {
    let asked = Asked::read(&args.asked)?;
    warm(&args.index);
    let started = Instant::now();
    let index = Index::open_read_only(&args.index).map_err(EngineError::from)?;
    let open_ms = started.elapsed().as_secs_f64() * 1e3;
    let own = Setting { strategy: Strategy::Graph, kept: 1_000, ef: None };
    let ask = |options: &SearchOptions<'_>| index.search(asked.query(0), asked.top, options);
    ask(&options(own, None)).map_err(EngineError::from)?;
    let first_answer_ms = started.elapsed().as_secs_f64() * 1e3;
    let stats = index.stats();
    let mut probe = Probe {
        products: stats.products,
        segments: stats.segments.len(),
        ef: stats.segments.iter().map(|segment| segment.ef).max().unwrap_or(0),
        open_ms: round(open_ms, 2),
        first_answer_ms: round(first_answer_ms, 2),
        memory_opened: Held::now(),
        memory_searched: None,
        settings: Vec::new(),
    };
    if args.rounds > 0 {
        measure(&index, &asked, &[own], 0)?;
        probe.memory_searched = Held::now();
        probe.settings = measure(&index, &asked, &settings(&asked, &args.ef), args.rounds)?;
    }
    output::json_line(&mut std::io::stdout().lock(), &probe)?;
    Ok(Done::Fully)
}

/// Runs [`probe`] in a process of its own; without `threads` on all.
pub(super) fn run(
    index: &Path,
    asked: &Path,
    ef: &[usize],
    rounds: usize,
    threads: Option<usize>,
) -> anyhow::Result<Probe> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a folder's name is not Unicode");
    let mut args = vec!["bench".to_owned(), "probe".to_owned(), format!("--index={}", text(index)?)];
    args.extend([format!("--asked={}", text(asked)?), format!("--rounds={rounds}")]);
    args.extend(ef.iter().map(|ef| format!("--ef={ef}")));
    args.extend(threads.map(|threads| format!("--threads={threads}")));
    serde_json::from_slice(&child::run(&args)?.stdout).context("a probe's answer can't be read")
}

/// Walks as wide as the index wants and as the caller wants, and the exact scan, under each filter.
fn settings(asked: &Asked, ef: &[usize]) -> Vec<Setting> {
    let mut settings = Vec::new();
    for group in &asked.groups {
        let kept = group.kept;
        let efs = std::iter::once(None).chain(ef.iter().copied().map(Some));
        settings.extend(efs.map(|ef| Setting { strategy: Strategy::Graph, kept, ef }));
        settings.push(Setting { strategy: Strategy::Exact, kept, ef: None });
    }
    settings
}

fn options(setting: Setting, allowed: Option<&DocSet>) -> SearchOptions<'_> {
    SearchOptions { allowed, strategy: setting.strategy, ef: setting.ef }
}

/// Asks every query in every setting once, which tells the recall, and then `rounds` times, the settings in turns.
pub(super) fn measure(
    index: &Index,
    asked: &Asked,
    settings: &[Setting],
    rounds: usize,
) -> anyhow::Result<Vec<Timed>> {
    let end = index.stats().next_doc;
    let filters: Vec<Option<DocSet>> = asked.groups.iter().map(|group| group.filter(end)).collect();
    let of = |setting: Setting| {
        let at = asked.groups.iter().position(|group| group.kept == setting.kept);
        let at = at.context("a filter without its truth")?;
        let scan = (SCANNED / index.len().max(1)).max(FEWEST_EXACT);
        let queries = if setting.strategy == Strategy::Exact { scan.min(asked.len()) } else { asked.len() };
        anyhow::Ok((&asked.groups[at], options(setting, filters[at].as_ref()), queries))
    };
    let mut timed = Vec::new();
    for &setting in settings {
        let (group, options, queries) = of(setting)?;
        let (mut wanted, mut right, mut scanned) = (0, 0, 0);
        for at in 0..queries {
            let found = index.search(asked.query(at), asked.top, &options).map_err(EngineError::from)?;
            let judged = group.judge(at, &found.neighbors);
            (wanted, right, scanned) = (wanted + judged.0, right + judged.1, scanned + found.scanned);
        }
        timed.push(Timed {
            setting,
            // Nothing is missing where nothing is wanted.
            recall: if wanted == 0 { 1.0 } else { right as f64 / wanted as f64 },
            scanned: round(scanned as f64 / queries.max(1) as f64, 1),
            rounds: Vec::new(),
        });
    }
    for _ in 0..rounds {
        for timed in &mut timed {
            let (_, options, queries) = of(timed.setting)?;
            let mut times = Vec::with_capacity(queries);
            for at in 0..queries {
                let started = Instant::now();
                index.search(asked.query(at), asked.top, &options).map_err(EngineError::from)?;
                times.push((started.elapsed().as_secs_f64() * 1e3) as f32);
            }
            timed.rounds.push(times);
        }
    }
    Ok(timed)
}

/// Reads the mapped files, so that they are in the page cache: what is not there is the disk's matter.
fn warm(index: &Path) {
    let Ok(entries) = fs::read_dir(index.join("graph")) else { return };
    let mut buffer = vec![0; 1 << 20];
    for mut file in entries.flatten().filter_map(|entry| fs::File::open(entry.path()).ok()) {
        while file.read(&mut buffer).is_ok_and(|n| n > 0) {}
    }
}
