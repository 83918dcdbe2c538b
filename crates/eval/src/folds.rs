use xunpin_core::SplitMix64;

/// Splits ids into `k` parts for cross-validation: tune on all parts but one, measure on that one. Each part holds
/// positions in `ids`, rising; every position is in one part, and the sizes differ by at most 1. There are as many
/// parts as ids where `k` is larger, and none if either is 0.
///
/// Which ids are together depends on the ids and `seed` alone, not on their order: the ids are sorted by a hash
/// (FNV-1a, mixed with the seed) and dealt out in turn.
///
/// ```
/// let parts = xunpin_eval::folds(&["q1", "q2", "q3", "q4", "q5"], 2, 7);
/// assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
/// ```
pub fn folds<S: AsRef<str>>(ids: &[S], k: usize, seed: u64) -> Vec<Vec<usize>> {
    let k = k.min(ids.len());
    if k == 0 {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_cached_key(|&at| {
        let id = ids[at].as_ref();
        (SplitMix64::mix(fnv1a(id) ^ SplitMix64::mix(seed)), id.to_owned(), at)
    });
    let mut parts = vec![Vec::new(); k];
    for (turn, at) in order.into_iter().enumerate() {
        parts[turn % k].push(at);
    }
    for part in &mut parts {
        part.sort_unstable();
    }
    parts
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo).
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn as_names(ids: &[String], parts: &[Vec<usize>]) -> Vec<BTreeSet<String>> {
        parts.iter().map(|part| part.iter().map(|&at| ids[at].clone()).collect()).collect()
    }

    #[test]
    fn hashes_as_published() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn nothing_to_split_gives_nothing() {
        assert!(folds::<&str>(&[], 5, 1).is_empty());
        assert!(folds(&["a"], 0, 1).is_empty());
        assert_eq!(folds(&["a", "b"], 5, 1).len(), 2);
    }

    #[test]
    fn another_seed_gives_another_split() {
        let ids: Vec<String> = (0..40).map(|n| format!("q{n}")).collect();
        assert_eq!(folds(&ids, 5, 1), folds(&ids, 5, 1));
        assert_ne!(folds(&ids, 5, 1), folds(&ids, 5, 2));
    }

    proptest! {
        #[test]
        fn every_id_is_in_one_part_whatever_the_order(n in 1usize..60, k in 1usize..12, seed: u64) {
            let ids: Vec<String> = (0..n).map(|at| format!("query-{at}")).collect();
            let parts = folds(&ids, k, seed);
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
            let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            let reversed: Vec<String> = ids.iter().rev().cloned().collect();
            prop_assert_eq!(as_names(&reversed, &folds(&reversed, k, seed)), as_names(&ids, &parts));
        }
    }
}
