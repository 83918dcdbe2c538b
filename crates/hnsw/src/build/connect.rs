use std::cmp::Reverse;

use super::draft::{Draft, Link};

/// How far around a node that nothing leads to one is looked for that can lead to it.
const ENOUGH: usize = 512;

/// Makes every node reachable from the entry in layer 0. Thinning drops links without looking at what only they lead to, which
/// cuts nodes off, above all among many that are nearly equal.
pub(super) fn connect(draft: &mut Draft, entry: u32) {
    let mut reached = vec![false; draft.len()];
    spread(draft, &mut reached, entry);
    for node in 0..draft.len() as u32 {
        if reached[node as usize] {
            continue;
        }
        let near = reached_from(draft, &reached, node, entry);
        let room = near.iter().copied().find(|n| draft.row(0, *n).len() < draft.slots(0));
        let parent = room.or(near.first().copied()).unwrap_or(entry);
        let mut row: Vec<Link> = draft.links(0, parent).collect();
        // No search reads scores any more.
        let link = Link { node, score: i32::MIN };
        if row.len() < draft.slots(0) {
            row.push(link);
        } else if let Some(last) = row.iter().position_max_by_rank() {
            // Between a node and its farthest neighbour: that stays reachable through the newcomer.
            let pushed = std::mem::replace(&mut row[last], link);
            let mut own: Vec<Link> = draft.links(0, node).collect();
            if !own.iter().any(|link| link.node == pushed.node) {
                if own.len() == draft.slots(0) {
                    own.pop();
                }
                own.push(pushed);
                draft.set(0, node, &own);
            }
        }
        draft.set(0, parent, &row);
        spread(draft, &mut reached, node);
    }
}

/// Marks `from` and all that it leads to.
pub(super) fn spread(draft: &Draft, reached: &mut [bool], from: u32) {
    reached[from as usize] = true;
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for &next in draft.row(0, node) {
            if !std::mem::replace(&mut reached[next as usize], true) {
                open.push(next);
            }
        }
    }
}

/// Reached nodes that `from` leads to, the nearest in links first; the entry if there are none.
fn reached_from(draft: &Draft, reached: &[bool], from: u32, entry: u32) -> Vec<u32> {
    let mut seen = vec![from];
    let mut at = 0;
    while at < seen.len() && seen.len() < ENOUGH {
        for &next in draft.row(0, seen[at]) {
            if !seen.contains(&next) {
                seen.push(next);
            }
        }
        at += 1;
    }
    seen.retain(|n| reached[*n as usize]);
    if seen.is_empty() {
        seen.push(entry);
    }
    seen
}

trait Farthest {
    fn position_max_by_rank(self) -> Option<usize>;
}

impl<'a, I: Iterator<Item = &'a Link>> Farthest for I {
    fn position_max_by_rank(self) -> Option<usize> {
        self.enumerate().max_by_key(|(_, link)| (Reverse(link.score), link.node)).map(|(at, _)| at)
    }
}
