/// Which nodes a walk has seen. Marks are kept from walk to walk, so that one neither allocates nor clears them.
#[derive(Default)]
pub(crate) struct Marks {
    /// The walk that last saw each node, by number; a byte each, so that a million of them stay in the cache.
    seen: Vec<u8>,
    walk: u8,
}

impl Marks {
    /// Begins another walk among `nodes`.
    pub(crate) fn begin(&mut self, nodes: usize) {
        self.walk = self.walk.wrapping_add(1);
        if self.walk == 0 {
            self.seen.fill(0);
            self.walk = 1;
        }
        if self.seen.len() < nodes {
            self.seen.resize(nodes, 0);
        }
    }

    /// True at the first visit of this walk. Panics where there is no such node, as slices do.
    #[inline(always)]
    pub(crate) fn visit(&mut self, node: u32) -> bool {
        let mark = &mut self.seen[node as usize];
        let first = *mark != self.walk;
        *mark = self.walk;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_walk_sees_each_node_once() {
        let mut marks = Marks::default();
        // More walks than a byte counts.
        for walk in 0..600 {
            marks.begin(3 + walk / 300);
            assert!((0..3).all(|node| marks.visit(node)), "{walk}");
            assert!(!marks.visit(1));
        }
        assert!(marks.visit(3));
    }
}
