use std::cell::UnsafeCell;
use std::ops::Range;

/// A buffer whose parts several threads of a [`Crew`](crate::Crew) write at once, each its own.
pub struct Shared<T> {
    values: Box<[UnsafeCell<T>]>,
}

// SAFETY: access is through `part` and `part_mut`, whose callers promise that what one thread writes no other touches.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T: Copy + Default> Shared<T> {
    /// A buffer of `length` default values.
    pub fn new(length: usize) -> Self {
        Self { values: (0..length).map(|_| UnsafeCell::new(T::default())).collect() }
    }

    /// Makes room for at least `length` values; what was in it may be lost.
    pub fn reserve(&mut self, length: usize) {
        if self.values.len() < length {
            *self = Self::new(length);
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values of `range`, to read.
    ///
    /// # Safety
    /// While the slice lives no thread may write to the range.
    ///
    /// # Panics
    /// If the range exceeds the buffer.
    #[inline(always)]
    pub unsafe fn part(&self, range: Range<usize>) -> &[T] {
        let cells = &self.values[range];
        // SAFETY: `UnsafeCell<T>` has the layout of `T`, and the caller keeps writers away.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast::<T>(), cells.len()) }
    }

    /// The values of `range`, to write.
    ///
    /// # Safety
    /// While the slice lives nobody else may read or write the range.
    ///
    /// # Panics
    /// If the range exceeds the buffer.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part_mut(&self, range: Range<usize>) -> &mut [T] {
        let cells = &self.values[range];
        // SAFETY: `UnsafeCell<T>` has the layout of `T` and lets its content be written through a shared reference;
        // the caller is alone with the range.
        unsafe { std::slice::from_raw_parts_mut(UnsafeCell::raw_get(cells.as_ptr()), cells.len()) }
    }
}
