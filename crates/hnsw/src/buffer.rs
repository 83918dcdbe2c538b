#![allow(unsafe_code, reason = "lines of codes are read as bytes")]

use crate::code::{Coder, LINE};

/// A cache line of codes.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([i8; LINE]);

/// Codes one after the other in memory, each at the beginning of a cache line.
#[derive(Clone, Default)]
pub struct CodeBuffer {
    lines: Vec<Line>,
    stride: usize,
}

impl CodeBuffer {
    /// An empty buffer for codes of `coder`.
    pub fn new(coder: &Coder) -> Self {
        Self { lines: Vec::new(), stride: coder.stride() }
    }

    /// Makes room for `codes` more.
    pub fn reserve(&mut self, codes: usize) {
        self.lines.reserve_exact(codes * self.stride / LINE);
    }

    /// Appends the code of `vector`, and gives it.
    pub fn push(&mut self, coder: &Coder, vector: &[f32]) -> &[i8] {
        let start = self.lines.len();
        self.lines.resize(start + self.stride / LINE, Line([0; LINE]));
        let lines = &mut self.lines[start..];
        // SAFETY: a `Line` is 64 codes and nothing else, so the bytes of `lines` are all initialised codes; they are borrowed
        // mutably for as long as the slice lives.
        let code =
            unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<i8>(), size_of_val(lines)) };
        coder.encode(vector, code);
        code
    }

    /// Appends a code as it is; missing values are zeros.
    pub fn push_code(&mut self, code: &[i8]) {
        for at in (0..self.stride).step_by(LINE) {
            let mut line = [0; LINE];
            line.iter_mut().zip(code.iter().skip(at)).for_each(|(to, from)| *to = *from);
            self.lines.push(Line(line));
        }
    }

    /// Removes the last code.
    pub fn pop(&mut self) {
        self.lines.truncate(self.lines.len().saturating_sub(self.stride / LINE));
    }

    /// The codes, to be read.
    pub fn codes(&self) -> Codes<'_> {
        // SAFETY: as in `push`, and shared.
        let values = unsafe {
            std::slice::from_raw_parts(self.lines.as_ptr().cast::<i8>(), size_of_val(self.lines.as_slice()))
        };
        Codes::new(values, self.stride)
    }
}

/// Codes one after the other, in memory or mapped.
#[derive(Clone, Copy, Debug)]
pub struct Codes<'a> {
    values: &'a [i8],
    stride: usize,
}

impl<'a> Codes<'a> {
    /// Codes of `stride` bytes each. Searches are faster where `values` begin at a multiple of [`LINE`].
    pub fn new(values: &'a [i8], stride: usize) -> Self {
        Self { values, stride }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.stride).unwrap_or(0)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The code of `node`. Panics where there is none, as slices do.
    #[inline(always)]
    pub fn row(&self, node: u32) -> &'a [i8] {
        let start = node as usize * self.stride;
        &self.values[start..start + self.stride]
    }

    /// All bytes.
    pub fn as_bytes(&self) -> &'a [i8] {
        self.values
    }
}
