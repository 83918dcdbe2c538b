#![allow(unsafe_code, reason = "lines of codes are read as bytes")]

use crate::code::{Coder, LINE};
use crate::sketch::sketch;

/// A cache line of codes.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([i8; LINE]);

/// Codes one after the other in memory, each at the beginning of a cache line, and their sketches.
#[derive(Clone, Default)]
pub struct CodeBuffer {
    lines: Vec<Line>,
    sketches: Vec<u64>,
    dimension: usize,
}

impl CodeBuffer {
    /// An empty buffer for codes of `coder`.
    pub fn new(coder: &Coder) -> Self {
        Self { dimension: coder.dimension(), ..Self::default() }
    }

    /// Lines of a code, and words of a sketch.
    fn per_code(&self) -> usize {
        self.dimension.div_ceil(LINE)
    }

    /// Makes room for `codes` more.
    pub fn reserve(&mut self, codes: usize) {
        self.lines.reserve_exact(codes * self.per_code());
        self.sketches.reserve_exact(codes * self.per_code());
    }

    /// Appends the code of `vector`, and gives it.
    pub fn push(&mut self, coder: &Coder, vector: &[f32]) -> &[i8] {
        let start = self.lines.len();
        self.lines.resize(start + self.per_code(), Line([0; LINE]));
        let lines = &mut self.lines[start..];
        // SAFETY: a `Line` is 64 codes and nothing else, so the bytes of `lines` are all initialised codes; they are borrowed
        // mutably for as long as the slice lives.
        let code =
            unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<i8>(), size_of_val(lines)) };
        coder.encode(vector, code);
        self.sketches.extend(sketch(code));
        code
    }

    /// Appends a code as it is; missing values are zeros.
    pub fn push_code(&mut self, code: &[i8]) {
        for at in 0..self.per_code() {
            let mut line = [0; LINE];
            line.iter_mut().zip(code.iter().skip(at * LINE)).for_each(|(to, from)| *to = *from);
            self.sketches.extend(sketch(&line));
            self.lines.push(Line(line));
        }
    }

    /// Removes the last code.
    pub fn pop(&mut self) {
        let rest = self.lines.len().saturating_sub(self.per_code());
        self.lines.truncate(rest);
        self.sketches.truncate(rest);
    }

    /// The codes, to be read.
    pub fn codes(&self) -> Codes<'_> {
        // SAFETY: as in `push`, and shared.
        let values = unsafe {
            std::slice::from_raw_parts(self.lines.as_ptr().cast::<i8>(), size_of_val(self.lines.as_slice()))
        };
        Codes::new(values, &self.sketches, self.dimension)
    }
}

/// Codes one after the other, in memory or mapped, and their sketches: the signs of their values, 64 a word, set where a value is
/// negative.
#[derive(Clone, Copy, Debug)]
pub struct Codes<'a> {
    values: &'a [i8],
    sketches: &'a [u64],
    dimension: usize,
}

impl<'a> Codes<'a> {
    /// Codes of vectors of `dimension` values; each takes a multiple of [`LINE`] bytes, and a word of its sketch for each of those.
    /// Searches are faster where `values` begin at such a multiple.
    pub fn new(values: &'a [i8], sketches: &'a [u64], dimension: usize) -> Self {
        Self { values, sketches, dimension }
    }

    /// Values of a vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.dimension.next_multiple_of(LINE)).unwrap_or(0)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if each code has its sketch.
    pub(crate) fn is_whole(&self) -> bool {
        self.sketches.len() * LINE == self.values.len()
            && self.values.len() == self.len() * self.dimension.next_multiple_of(LINE)
    }

    /// The code of `node`. Panics where there is none, as slices do.
    #[inline(always)]
    pub fn row(&self, node: u32) -> &'a [i8] {
        let stride = self.dimension.next_multiple_of(LINE);
        &self.values[node as usize * stride..][..stride]
    }

    /// The sketch of `node`. Panics where there is none, as slices do.
    #[inline(always)]
    pub(crate) fn sketch(&self, node: u32) -> &'a [u64] {
        let words = self.dimension.div_ceil(LINE);
        &self.sketches[node as usize * words..][..words]
    }

    /// All codes' bytes.
    pub fn as_bytes(&self) -> &'a [i8] {
        self.values
    }

    /// All sketches' words.
    pub fn sketches(&self) -> &'a [u64] {
        self.sketches
    }
}
