use xunpin_kernels::Isa;
use xunpin_kernels::product::dot_i8;

use super::draft::Link;
use crate::buffer::Codes;

/// Up to `most` of the candidates, which are in order: each one that is nearer to the node than to all that were taken before it
/// (Malkov and Yashunin 2016, algorithm 4, without extending candidates or filling up). So links point in all directions.
pub(super) fn select(isa: Isa, codes: Codes<'_>, candidates: &[Link], most: usize) -> Vec<Link> {
    let mut taken: Vec<Link> = Vec::with_capacity(most);
    for candidate in candidates {
        if taken.len() >= most {
            break;
        }
        let code = codes.row(candidate.node);
        let apart = |link: &Link| dot_i8(isa, code, codes.row(link.node)) <= candidate.score;
        if taken.iter().all(apart) {
            taken.push(*candidate);
        }
    }
    taken
}
