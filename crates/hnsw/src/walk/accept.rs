/// Which nodes are results.
#[derive(Clone, Copy)]
pub enum Filter<'a> {
    /// All.
    None,
    /// Some; the walk goes through the others. For few refused ones, such as deleted.
    Through(Accepts<'a>),
    /// Some; the walk looks over the others to the neighbours behind them, and never compares them. For filters that refuse much.
    Over(Accepts<'a>),
}

/// A set of nodes, asked thousands of times a walk.
#[derive(Clone, Copy)]
pub enum Accepts<'a> {
    /// Bit `i` of word `w` stands for node `64 w + i`; nodes beyond the last word are refused. The quickest.
    Bits(&'a [u64]),
    /// Those for which it holds.
    If(&'a dyn Fn(u32) -> bool),
}

/// Whether a node's bit is set, as in [`Accepts::Bits`].
#[inline(always)]
pub fn holds(bits: &[u64], node: u32) -> bool {
    bits.get(node as usize / 64).is_some_and(|word| word >> (node % 64) & 1 == 1)
}

impl Accepts<'_> {
    /// Calls `visit` with each of the first `nodes` nodes that are in the set, in their order.
    #[inline(always)]
    pub(super) fn each(self, nodes: usize, mut visit: impl FnMut(u32)) {
        match self {
            Self::Bits(words) => {
                for (at, &word) in words.iter().take(nodes.div_ceil(64)).enumerate() {
                    let mut rest = word;
                    while rest != 0 {
                        let node = at as u32 * 64 + rest.trailing_zeros();
                        if (node as usize) < nodes {
                            visit(node);
                        }
                        rest &= rest - 1;
                    }
                }
            }
            Self::If(accepts) => (0..nodes as u32).filter(|node| accepts(*node)).for_each(visit),
        }
    }
}
