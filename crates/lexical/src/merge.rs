use tantivy::index::SegmentId;

/// Segments of a level are merged into one of the next when there are this many.
const FAN_IN: usize = 4;
/// Documents of the largest segment of the lowest level; each level's segments are [`FAN_IN`] times as large.
const LOWEST: u32 = 256;

/// What is known of a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    pub(crate) id: SegmentId,
    /// Documents, deleted ones included.
    pub(crate) documents: u32,
    pub(crate) deleted: u32,
}

/// The segments to merge next, if any: four of a level, the lowest first, or one that is deleted by half. So an index of
/// n documents has some 3 log4(n / 256) segments, and each document is written that often. Decided from sizes alone and
/// merged before the commit returns: the same commits give the same segments.
pub(crate) fn next_merge(sizes: &[Size]) -> Option<Vec<SegmentId>> {
    let mut levels: Vec<Vec<SegmentId>> = Vec::new();
    for size in sizes {
        let live = size.documents.saturating_sub(size.deleted);
        let level = (live / LOWEST).checked_ilog(FAN_IN as u32).map_or(0, |l| l as usize + 1);
        if levels.len() <= level {
            levels.resize(level + 1, Vec::new());
        }
        levels[level].push(size.id);
    }
    let full = levels.into_iter().find(|level| level.len() >= FAN_IN);
    full.or_else(|| sizes.iter().find(|s| 2 * s.deleted > s.documents).map(|s| vec![s.id]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(documents: u32, deleted: u32) -> Size {
        Size { id: SegmentId::generate_random(), documents, deleted }
    }

    #[test]
    fn four_of_a_level_or_half_deleted() {
        let small: Vec<Size> = (0..4).map(|_| size(100, 0)).collect();
        assert_eq!(next_merge(&small).map(|ids| ids.len()), Some(4));
        assert_eq!(next_merge(&small[1..]), None);
        let mixed = [small[0], small[1], size(300, 0), size(5000, 0), size(80_000, 0)];
        assert_eq!(next_merge(&mixed), None);
        let deleted = [size(10_000, 5_001), size(300, 0)];
        assert_eq!(next_merge(&deleted), Some(vec![deleted[0].id]));
        assert_eq!(next_merge(&[]), None);
    }

    #[test]
    fn merging_ends_and_leaves_few_segments() {
        let mut sizes: Vec<Size> = Vec::new();
        for _ in 0..800 {
            sizes.push(size(128, 0));
            while let Some(ids) = next_merge(&sizes) {
                let documents = sizes.iter().filter(|s| ids.contains(&s.id)).map(|s| s.documents).sum();
                sizes.retain(|s| !ids.contains(&s.id));
                sizes.push(size(documents, 0));
            }
        }
        assert_eq!(sizes.iter().map(|s| s.documents).sum::<u32>(), 800 * 128);
        assert!(sizes.len() <= 20, "{}", sizes.len());
    }
}
