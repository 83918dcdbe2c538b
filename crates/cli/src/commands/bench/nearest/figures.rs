use std::path::Path;

use serde::Serialize;
use xunpin::Strategy;

use super::super::{percentile, round};
use super::probe::{self, Held, Probe, Timed};
use crate::output::{self, bytes, count, table, thousands};

/// Processes that only open the index: the median of them and of those that also search is told.
const OPENS: usize = 4;

/// Searches of an index, timed in processes of their own on one thread.
#[derive(Serialize)]
pub(super) struct Nearest {
    pub(super) products: usize,
    pub(super) segments: usize,
    pub(super) queries: usize,
    pub(super) top: usize,
    pub(super) rounds: usize,
    /// Candidates of the index's own walk, of the widest segment.
    pub(super) ef: usize,
    /// Medians over processes that use all threads, files in the page cache.
    open_ms: f64,
    first_answer_ms: f64,
    /// After the first answer; absent where the system doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_opened: Option<Held>,
    /// After every query has walked once.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_searched: Option<Held>,
    pub(super) settings: Vec<Figures>,
}

/// One way of asking.
#[derive(Clone, Serialize)]
pub(super) struct Figures {
    pub(super) strategy: Strategy,
    /// Share of the products that the filter keeps; 1 without one.
    pub(super) kept: f64,
    /// Candidates of a walk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ef: Option<usize>,
    /// True if the index chose it.
    pub(super) own: bool,
    pub(super) queries: usize,
    pub(super) recall: f64,
    /// Vectors that a query is compared with.
    scanned: f64,
    /// Queries a second on one thread, of the best round and of the median one.
    pub(super) qps_best: f64,
    pub(super) qps_median: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Probes under way: each turn adds rounds, so that a peer can be measured in between.
pub(super) struct Turns<'a> {
    index: &'a Path,
    asked: &'a Path,
    ef: &'a [usize],
    opens: Vec<Probe>,
    whole: Option<Probe>,
}

impl<'a> Turns<'a> {
    /// Opens the index a few times.
    pub(super) fn begin(index: &'a Path, asked: &'a Path, ef: &'a [usize]) -> anyhow::Result<Self> {
        let opens =
            (0..OPENS).map(|_| probe::run(index, asked, &[], 0, None)).collect::<anyhow::Result<_>>()?;
        Ok(Self { index, asked, ef, opens, whole: None })
    }

    /// Times each setting `rounds` times more.
    pub(super) fn turn(&mut self, rounds: usize) -> anyhow::Result<()> {
        let probe = probe::run(self.index, self.asked, self.ef, rounds.max(1), Some(1))?;
        match &mut self.whole {
            None => self.whole = Some(probe),
            Some(whole) => {
                let more = whole.settings.iter_mut().zip(probe.settings);
                more.for_each(|(all, more)| all.rounds.extend(more.rounds));
            }
        }
        Ok(())
    }

    /// All of them, if there was a turn.
    pub(super) fn end(self, queries: usize, top: usize) -> Option<Nearest> {
        let whole = self.whole?;
        let opens = &self.opens;
        let median =
            |of: fn(&Probe) -> f64| round(percentile(&mut opens.iter().map(of).collect::<Vec<_>>(), 50), 2);
        Some(Nearest {
            products: whole.products,
            segments: whole.segments,
            queries,
            top,
            rounds: whole.settings.first().map_or(0, |timed| timed.rounds.len()),
            ef: whole.ef,
            open_ms: median(|probe| probe.open_ms),
            first_answer_ms: median(|probe| probe.first_answer_ms),
            memory_opened: whole.memory_opened,
            memory_searched: whole.memory_searched,
            settings: whole.settings.iter().map(|timed| Figures::of(timed, whole.ef)).collect(),
        })
    }
}

impl Figures {
    /// `own`: the width where the index chose it.
    pub(super) fn of(timed: &Timed, own: usize) -> Self {
        let setting = timed.setting;
        let queries = timed.rounds.first().map_or(0, Vec::len);
        let seconds = |times: &Vec<f32>| times.iter().map(|ms| f64::from(*ms)).sum::<f64>() / 1e3;
        let mut qps: Vec<f64> =
            timed.rounds.iter().map(|times| queries as f64 / seconds(times).max(1e-9)).collect();
        let mut times: Vec<f64> = timed.rounds.iter().flatten().map(|ms| f64::from(*ms)).collect();
        let walks = setting.strategy == Strategy::Graph;
        Self {
            strategy: setting.strategy,
            kept: f64::from(setting.kept) / 1e3,
            ef: walks.then(|| setting.ef.unwrap_or(own)),
            own: walks && setting.ef.is_none(),
            queries,
            recall: round(timed.recall, 4),
            scanned: timed.scanned,
            qps_best: round(percentile(&mut qps, 100), 1),
            qps_median: round(percentile(&mut qps, 50), 1),
            p50_ms: round(percentile(&mut times, 50), 4),
            p99_ms: round(percentile(&mut times, 99), 4),
        }
    }
}

impl Nearest {
    pub(super) fn print(&self) -> anyhow::Result<()> {
        output::line(format!(
            "{}, {}; {}, top {}, {}, one thread",
            count(self.products, "product", "products"),
            count(self.segments, "segment", "segments"),
            count(self.queries, "query", "queries"),
            self.top,
            count(self.rounds, "round", "rounds"),
        ))?;
        let header = ["", "kept", "ef", "recall", "compared", "q/s best", "q/s median", "ms p50", "ms p99"];
        let row = |f: &Figures| {
            vec![
                f.strategy.to_string(),
                format!("{}%", f.kept * 100.0),
                f.ef.map_or_else(String::new, |ef| format!("{ef}{}", if f.own { " own" } else { "" })),
                format!("{:.4}", f.recall),
                thousands(f.scanned as u64),
                thousands(f.qps_best as u64),
                thousands(f.qps_median as u64),
                format!("{:.3}", f.p50_ms),
                format!("{:.3}", f.p99_ms),
            ]
        };
        let rows = self.settings.iter().map(row).collect();
        output::line(table::render(&header, &[1, 2, 3, 4, 5, 6, 7, 8], rows))?;
        output::line(format!(
            "open: {:.1} ms, to the first answer {:.1} ms (all threads, files in the page cache)",
            self.open_ms, self.first_answer_ms
        ))?;
        for (when, held) in [("open", self.memory_opened), ("searched", self.memory_searched)] {
            if let Some(Held { memory, mapped }) = held {
                output::line(format!(
                    "memory, {when}: {} resident, {} of it own; mapped and resident: {} graphs, {} vectors",
                    bytes(memory.resident),
                    bytes(memory.anonymous),
                    bytes(mapped.graphs),
                    bytes(mapped.vectors)
                ))?;
            }
        }
        Ok(())
    }
}
