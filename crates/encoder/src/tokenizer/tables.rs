//! The look-up tables of a prepared tokenizer, written to and read from bytes.

use std::collections::BTreeMap;

use super::blob::{CHAR_PAGES, MOST_PROBES, NONE};

/// Where the search for a pair starts, before it is cut to the number of slots.
pub(super) fn slot_of(left: u32, right: u32) -> u32 {
    // Two odd factors spread neighbouring tokens; the last product brings every bit to the top.
    let mixed = u64::from(left).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ u64::from(right).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    ((mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32) as u32
}

/// A map from pairs to pairs that is read where it lies.
#[derive(Clone, Copy)]
pub(super) struct PairTable<'a> {
    slots: &'a [[u8; 16]],
    probes: u32,
}

impl<'a> PairTable<'a> {
    pub(super) fn new(bytes: &'a [u8], probes: u32) -> Self {
        Self { slots: bytes.as_chunks().0, probes }
    }

    pub(super) fn get(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        let mask = self.slots.len().wrapping_sub(1);
        let start = slot_of(left, right) as usize;
        for probe in 0..self.probes as usize {
            let slot = u128::from_le_bytes(*self.slots.get(start.wrapping_add(probe) & mask)?);
            if slot as u32 == NONE {
                return None;
            }
            if slot as u64 == (u64::from(right) << 32 | u64::from(left)) {
                return Some(((slot >> 64) as u32, (slot >> 96) as u32));
            }
        }
        None
    }

    /// The table of `entries`, (left, right, first, second) with distinct pairs and no `NONE` on the left, and the
    /// slots that a reader must look at.
    pub(super) fn write(entries: &[[u32; 4]]) -> (Vec<u8>, u32) {
        let mut slots = (entries.len() * 2).next_power_of_two();
        loop {
            if let Some(table) = Self::place(entries, slots) {
                return table;
            }
            slots *= 2;
        }
    }

    /// `None` if some pair would lie too far from its start.
    fn place(entries: &[[u32; 4]], slots: usize) -> Option<(Vec<u8>, u32)> {
        let mut table = vec![[NONE; 4]; slots];
        let mut probes = 1;
        for entry in entries {
            let start = slot_of(entry[0], entry[1]) as usize;
            let probe = (0..MOST_PROBES as usize)
                .find(|probe| table[start.wrapping_add(*probe) & (slots - 1)][0] == NONE)?;
            table[start.wrapping_add(probe) & (slots - 1)] = *entry;
            probes = probes.max(probe as u32 + 1);
        }
        let bytes = table.as_flattened().iter().flat_map(|number| number.to_le_bytes()).collect();
        Some((bytes, probes))
    }
}

/// A map from characters to tokens that is read where it lies.
#[derive(Clone, Copy)]
pub(super) struct CharTable<'a> {
    index: &'a [[u8; 2]],
    pages: &'a [[u8; 4]],
}

impl<'a> CharTable<'a> {
    pub(super) fn new(index: &'a [u8], pages: &'a [u8]) -> Self {
        Self { index: index.as_chunks().0, pages: pages.as_chunks().0 }
    }

    pub(super) fn get(&self, character: char) -> Option<u32> {
        let code = character as usize;
        let page = u16::from_le_bytes(*self.index.get(code / 256)?) as usize;
        let token = u32::from_le_bytes(*self.pages.get(page * 256 + code % 256)?);
        (token != NONE).then_some(token)
    }

    /// Both sections of the table of `tokens`.
    pub(super) fn write(tokens: &BTreeMap<char, u32>) -> (Vec<u8>, Vec<u8>) {
        let mut index = vec![u16::MAX; CHAR_PAGES];
        let mut pages: Vec<u32> = Vec::new();
        for (character, token) in tokens {
            let code = *character as usize;
            let page = &mut index[code / 256];
            if *page == u16::MAX {
                *page = (pages.len() / 256) as u16;
                pages.resize(pages.len() + 256, NONE);
            }
            pages[usize::from(*page) * 256 + code % 256] = *token;
        }
        let index = index.into_iter().flat_map(u16::to_le_bytes).collect();
        (index, pages.into_iter().flat_map(u32::to_le_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_table_gives_back_what_it_holds() {
        // Neighbouring keys, as tokens are.
        let entries: Vec<[u32; 4]> = (0..5000).map(|at| [at / 70, at % 70, at, !at]).collect();
        let (bytes, probes) = PairTable::write(&entries);
        assert_eq!(bytes.len(), 16 * 16384);
        let table = PairTable::new(&bytes, probes);
        for [left, right, first, second] in entries {
            assert_eq!(table.get(left, right), Some((first, second)));
        }
        for absent in [(0, 70), (71, 31), (NONE, NONE), (NONE, 0), (5, NONE)] {
            assert_eq!(table.get(absent.0, absent.1), None);
        }
    }

    #[test]
    fn damaged_pair_tables_end_the_search() {
        let full = [1; 64];
        assert_eq!(PairTable::new(&full, 100).get(7, 7), None);
        assert_eq!(PairTable::new(&[], 100).get(7, 7), None);
        let (bytes, probes) = PairTable::write(&[]);
        assert_eq!((bytes.len(), PairTable::new(&bytes, probes).get(0, 0)), (16, None));
    }

    #[test]
    fn a_character_table_gives_back_what_it_holds() {
        let tokens = BTreeMap::from([('\0', 9), ('a', 1), ('面', 2), ('\u{10ffff}', 3)]);
        let (index, pages) = CharTable::write(&tokens);
        let table = CharTable::new(&index, &pages);
        for (character, token) in &tokens {
            assert_eq!(table.get(*character), Some(*token));
        }
        assert_eq!(['b', '霜', '\u{10fffe}', '\u{e000}'].map(|c| table.get(c)), [None; 4]);
        assert_eq!(CharTable::new(&index, &pages[..1024]).get('面'), None);
        assert_eq!(CharTable::new(&[], &[]).get('a'), None);
    }
}
