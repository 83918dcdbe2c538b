use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

/// The ids of a run and where each came first. Ids are known by 104 bits of their XXH3-128 hash: two of a hundred
/// million share those with a chance of 3 in 10^16. Takes 18 to 23 bytes an id.
#[derive(Clone, Debug)]
pub struct SeenIds {
    shards: Vec<Shard>,
    files: Vec<(Arc<Path>, u64)>,
    /// Number of the highest line so far, counted through all files.
    last: u64,
    len: usize,
}

/// Where an id came first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSeen {
    /// The file.
    pub file: Arc<Path>,
    /// The line; 0 if it lies beyond the first four thousand million lines.
    pub line: u64,
}

/// A table with open addressing, grown by a quarter at nine tenths full. There are many, so that growing one copies
/// little.
#[derive(Clone, Debug, Default)]
struct Shard {
    slots: Vec<Slot>,
    len: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: [u32; 3],
    /// Line counted through all files; 0 marks a free slot.
    place: u32,
}

const SHARDS: usize = 256;

impl Default for SeenIds {
    fn default() -> Self {
        Self { shards: vec![Shard::default(); SHARDS], files: Vec::new(), last: 0, len: 0 }
    }
}

impl SeenIds {
    /// Notes that `id` stands on `line` of `file`; an error says where it stood before. The lines of one file come in
    /// rising order, and one file after another.
    pub fn insert(&mut self, id: &str, file: &Arc<Path>, line: u64) -> Result<(), FirstSeen> {
        if self.files.last().is_none_or(|(last, _)| !Arc::ptr_eq(last, file) && last != file) {
            self.files.push((file.clone(), self.last));
        }
        let base = self.files.last().map_or(0, |(_, base)| *base);
        self.last = self.last.max(base + line);
        let place = u32::try_from(base + line.max(1)).unwrap_or(u32::MAX);
        let (shard, hash) = locate(id);
        match self.shards[shard].insert(Slot { hash, place }) {
            None => {
                self.len += 1;
                Ok(())
            }
            Some(place) => Err(self.resolve(place)),
        }
    }

    /// True if `id` was noted.
    pub fn contains(&self, id: &str) -> bool {
        let (shard, hash) = locate(id);
        self.shards[shard].find(&hash).is_some_and(|at| self.shards[shard].slots[at].place != 0)
    }

    /// How many different ids were noted.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if none was noted.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn resolve(&self, place: u32) -> FirstSeen {
        let place = u64::from(place);
        let at = self.files.partition_point(|(_, base)| *base < place).saturating_sub(1);
        let (file, base) = &self.files[at];
        let line = if place == u64::from(u32::MAX) { 0 } else { place - base };
        FirstSeen { file: file.clone(), line }
    }
}

fn locate(id: &str) -> (usize, [u32; 3]) {
    let hash = xxh3_128(id.as_bytes());
    ((hash >> 120) as usize % SHARDS, [(hash >> 64) as u32, (hash >> 32) as u32, hash as u32])
}

impl Shard {
    /// The slot that holds `hash`, or the free one where it belongs; `None` for a table without slots.
    fn find(&self, hash: &[u32; 3]) -> Option<usize> {
        let capacity = self.slots.len();
        let start = (u64::from(hash[0]) * capacity as u64) >> 32;
        (start as usize..capacity).chain(0..start as usize).find(|at| {
            let slot = &self.slots[*at];
            slot.place == 0 || slot.hash == *hash
        })
    }

    /// Adds `slot`; the place of the one there is with the same hash.
    fn insert(&mut self, slot: Slot) -> Option<u32> {
        if (self.len + 1) * 10 > self.slots.len() * 9 {
            self.grow();
        }
        // Never `None`: a tenth of the slots is free.
        let at = self.find(&slot.hash)?;
        if self.slots[at].place != 0 {
            return Some(self.slots[at].place);
        }
        self.slots[at] = slot;
        self.len += 1;
        None
    }

    fn grow(&mut self) {
        let capacity = (self.slots.len() + self.slots.len() / 4).max(16);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); capacity]);
        for slot in old.into_iter().filter(|slot| slot.place != 0) {
            if let Some(at) = self.find(&slot.hash) {
                self.slots[at] = slot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_new_once_and_the_first_place_is_kept() {
        let (a, b): (Arc<Path>, Arc<Path>) = (Path::new("a").into(), Path::new("b").into());
        let mut seen = SeenIds::default();
        assert!(!seen.contains("0"));
        for n in 0..100_000u64 {
            assert_eq!(seen.insert(&n.to_string(), &a, n + 2), Ok(()));
        }
        assert_eq!(seen.insert("new", &b, 5), Ok(()));
        assert_eq!(seen.len(), 100_001);
        for n in (0..100_000u64).step_by(997) {
            assert_eq!(seen.insert(&n.to_string(), &b, 9), Err(FirstSeen { file: a.clone(), line: n + 2 }));
            assert!(seen.contains(&n.to_string()) && !seen.contains(&format!("x{n}")));
        }
        assert_eq!(seen.insert("new", &b, 10), Err(FirstSeen { file: b, line: 5 }));
        assert_eq!(seen.len(), 100_001);
        let slots: usize = seen.shards.iter().map(|s| s.slots.len()).sum();
        assert!(slots * size_of::<Slot>() <= 24 * seen.len(), "{slots} slots");
    }
}
