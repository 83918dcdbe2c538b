//! A process that writes to an index is killed at any moment, again and again. What was acknowledged is there afterwards,
//! and nothing else but what was in flight, and that only whole.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use xunpin_core::{Product, SplitMix64};
use xunpin_index::{Batch, Index, IndexOptions, RecoveryNote};

use crate::common::{Rng, fingerprint};

const DIMENSION: usize = 8;
/// Ids that the operations are about.
const IDS: usize = 300;
/// After so many kills another index is begun, so that its creation is killed too.
const KILLS_AN_INDEX: usize = 10;
/// Kills of a usual run; `XUNPIN_KILLS` says otherwise.
const KILLS: usize = 15;
/// Longest time from a child's start to its kill, or from its first operation, in microseconds.
const EARLY: usize = 25_000;
const LATE: usize = 150_000;

/// What the environment tells a child: the folder to work in, the seed, and the first operation to do.
const CHILD: [&str; 3] = ["XUNPIN_KILL_FOLDER", "XUNPIN_KILL_SEED", "XUNPIN_KILL_FROM"];

/// Seed and number decide what is done.
enum Operation {
    Write { texts: Vec<(usize, u64)>, prices: Vec<(usize, u16)>, deleted: Vec<usize> },
    Freeze,
    Compact,
    Snapshot,
}

fn operation(seed: u64, number: u64) -> Operation {
    let mut random = SplitMix64::new(SplitMix64::mix(seed) ^ number);
    if random.below(8) == 0 {
        return Operation::Freeze;
    }
    if random.below(40) == 0 {
        return Operation::Compact;
    }
    if random.below(20) == 0 {
        return Operation::Snapshot;
    }
    // An operation gets texts for a third of all ids, prices for another and deletes of the last, by turns.
    let mut ids = |most: usize, third: u64| -> Vec<usize> {
        let count = random.below(most);
        (0..count).map(|_| random.below(IDS / 3) * 3 + ((number + third) % 3) as usize).collect()
    };
    let (texts, prices, deleted) = (ids(24, 0), ids(10, 1), ids(8, 2));
    Operation::Write {
        texts: texts.into_iter().map(|id| (id, number * 1_000 + id as u64)).collect(),
        prices: prices.into_iter().map(|id| (id, (number % 60_000) as u16)).collect(),
        deleted,
    }
}

fn id(number: usize) -> String {
    format!("p{number}")
}

fn product(number: usize, text: u64, price: Option<u16>) -> Product {
    let mut product = Product::new(id(number), format!("text {text}"));
    product.price = price.map(f64::from);
    product
}

/// What the index should hold: text and price of every id, and the number of batches.
#[derive(Clone, Debug, Default, PartialEq)]
struct Held {
    products: BTreeMap<usize, (u64, Option<u16>)>,
    batches: u64,
}

impl Held {
    fn after(mut self, operation: &Operation) -> Self {
        let Operation::Write { texts, prices, deleted } = operation else { return self };
        self.batches += 1;
        for (id, text) in texts {
            self.products.insert(*id, (*text, None));
        }
        for (id, price) in prices {
            if let Some(product) = self.products.get_mut(id) {
                product.1 = Some(*price);
            }
        }
        for id in deleted {
            self.products.remove(id);
        }
        self
    }

    fn read(index: &Index) -> Self {
        let mut held = Self { batches: index.generation(), ..Self::default() };
        for row in index.ids() {
            let (id, entry) = row.unwrap();
            let product = index.get(&id).unwrap().unwrap();
            let text: u64 = product.title.strip_prefix("text ").unwrap().parse().unwrap();
            assert_eq!(entry.content_hash, u128::from(text), "{id}");
            let vector = index.vector(entry.doc).unwrap();
            let expected = Rng::new(text).unit(DIMENSION);
            assert!(vector.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-3), "the vector of {id}");
            held.products.insert(id[1..].parse().unwrap(), (text, product.price.map(|price| price as u16)));
        }
        assert_eq!(index.len(), held.products.len());
        held
    }
}

/// The archive that is made again and again.
fn archive(folder: &Path) -> PathBuf {
    folder.join("shop.xpa")
}

fn perform(index: &Index, operation: &Operation, folder: &Path) {
    match operation {
        Operation::Snapshot => {
            index.snapshot(&archive(folder), true, &mut |_, _| ControlFlow::Continue(())).unwrap();
        }
        Operation::Freeze => drop(index.freeze().unwrap()),
        Operation::Compact => drop(index.compact().unwrap()),
        Operation::Write { texts, prices, deleted } => {
            let mut batch = Batch::new();
            for (id, text) in texts {
                let vector = Rng::new(*text).unit(DIMENSION);
                batch.upsert(product(*id, *text, None), u128::from(*text), Some(&vector));
            }
            for (number, price) in prices {
                if let Some(stored) = index.get(&id(*number)).unwrap() {
                    let text: u64 = stored.title["text ".len()..].parse().unwrap();
                    batch.upsert(product(*number, text, Some(*price)), u128::from(text), None);
                }
            }
            deleted.iter().for_each(|number| _ = batch.delete(id(*number)));
            index.apply(batch).unwrap();
        }
    }
}

fn options() -> IndexOptions {
    let mut options = IndexOptions::new(DIMENSION);
    (options.live_graph_at, options.freeze_at, options.freeze_min) = (40, 150, 20);
    (options.m, options.ef_construction) = (6, 40);
    options
}

/// The child: operation after operation until it is killed. The journal beside the index tells what was begun and what
/// was acknowledged; each line of it is on the disk before the next thing is done.
#[test]
fn child_that_is_killed() {
    let [Ok(folder), Ok(seed), Ok(from)] = CHILD.map(std::env::var) else { return };
    let (folder, seed): (PathBuf, u64) = (folder.into(), seed.parse().unwrap());
    let path = folder.join("index");
    let index = if Index::exists(&path) {
        Index::open(&path).unwrap()
    } else {
        Index::create(&path, &fingerprint(DIMENSION), options(), serde_json::Value::Null).unwrap()
    };
    let mut journal = OpenOptions::new().append(true).create(true).open(folder.join("journal")).unwrap();
    for number in from.parse::<u64>().unwrap().. {
        note(&mut journal, &format!("begin {number}\n"));
        perform(&index, &operation(seed, number), &folder);
        note(&mut journal, &format!("done {number}\n"));
    }
}

fn note(journal: &mut File, line: &str) {
    journal.write_all(line.as_bytes()).unwrap();
    journal.sync_data().unwrap();
}

/// The number after the last one that the journal has a line of this kind for. A line without its end was not written.
fn after_last(folder: &Path, kind: &str) -> u64 {
    let text = fs::read_to_string(folder.join("journal")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let last = whole.lines().filter_map(|line| line.strip_prefix(kind)).next_back();
    last.map_or(0, |number| number.trim().parse::<u64>().unwrap() + 1)
}

/// Starts a child and kills it after a while, which begins when the process does or with its first operation.
fn kill(folder: &Path, seed: u64, from: u64, random: &mut SplitMix64) {
    let journal = || fs::metadata(folder.join("journal")).map_or(0, |file| file.len());
    let before = journal();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::child_that_is_killed", "--exact"])
        .envs([(CHILD[0], folder.as_os_str())])
        .envs([(CHILD[1], seed.to_string()), (CHILD[2], from.to_string())])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let late = random.below(2) == 0;
    while late && journal() == before && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_micros(random.below(if late { LATE } else { EARLY }) as u64));
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(ended, None, "the child ended by itself: {said}");
}

/// Opens what a kill left; it must hold one of these, and be whole.
fn survived(path: &Path, possible: &[Held]) -> usize {
    let reader = Index::open_read_only(path).unwrap();
    let found = Held::read(&reader);
    drop(reader);
    let at = possible.iter().position(|held| *held == found);
    let at = at.unwrap_or_else(|| {
        let batches: Vec<u64> = possible.iter().map(|held| held.batches).collect();
        panic!("after {} batches the index holds what it held after none of {batches:?}", found.batches)
    });
    let index = Index::open(path).unwrap();
    let notes = index.notes();
    assert!(notes.iter().all(|note| matches!(note, RecoveryNote::OrphanRemoved { .. })), "{notes:?}");
    assert_eq!(Held::read(&index), found);
    let report = index.verify(None);
    assert!(report.is_ok(), "{:?}", report.problems);
    at
}

/// The archive that a kill left is the last one that was acknowledged, or the one that was in flight, and whole.
fn archive_survived(folder: &Path, possible: &[Held]) {
    let restored = folder.join("restored");
    let (index, report) =
        Index::restore(&archive(folder), &restored, true, &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert!(report.unwrap().is_ok());
    assert!(possible.contains(&Held::read(&index)), "the archive holds what the index held at no snapshot");
    drop(index);
    fs::remove_dir_all(restored).unwrap();
}

#[test]
fn killed_at_any_moment() {
    let kills = std::env::var("XUNPIN_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    let mut random = SplitMix64::new(20_260_131);
    let (mut batches, mut in_flight, mut too_early, mut archives) = (0, 0, 0, 0);
    // What the index held at the last snapshot that was acknowledged.
    let mut archived = None;
    let mut folder = tempfile::tempdir().unwrap();
    let (mut seed, mut next, mut held) = (random.bits(), 0, Held::default());
    for number in 0..kills {
        if number % KILLS_AN_INDEX == 0 {
            (seed, next, held) = (random.bits(), 0, Held::default());
            folder = tempfile::tempdir().unwrap();
            archived = None;
        }
        kill(folder.path(), seed, next, &mut random);

        let (done, begun) = (after_last(folder.path(), "done").max(next), after_last(folder.path(), "begin"));
        assert!(begun <= done + 1, "one operation is in flight at most");
        for number in next..done {
            let operation = operation(seed, number);
            if matches!(operation, Operation::Snapshot) {
                archived = Some(held.clone());
            }
            held = held.after(&operation);
        }
        next = done;
        let path = folder.path().join("index");
        if !Index::exists(&path) {
            assert_eq!(next, 0, "an index that was there is gone");
            too_early += 1;
            continue;
        }
        if let Some(archived) = &archived {
            archive_survived(folder.path(), &[archived.clone(), held.clone()]);
            archives += 1;
        }
        let mut possible = vec![held.clone()];
        if begun > done {
            possible.push(held.clone().after(&operation(seed, done)));
        }
        if survived(&path, &possible) == 1 {
            held = possible.remove(1);
            next = done + 1;
            in_flight += 1;
        }
        batches = batches.max(held.batches);
    }
    println!(
        "{kills} of {kills} kills survived; {too_early} came before there was an index, after {in_flight} the batch in flight \
         was there, and {archives} left an archive, whole"
    );
    assert!(kills < 10 || batches > 5, "the children hardly began: {batches} batches");
}
