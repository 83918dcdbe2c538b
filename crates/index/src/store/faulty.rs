//! A back-end for tests: RocksDB, but some of what it is asked fails, and somebody looks on. Stores that are opened in
//! [`Plan::during`] get it.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::Family;
use super::backend::{Answer, Backend, Rows, Snapshot, StoreError, Visit, WriteBatch};

/// How a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing was written.
    Before,
    /// All was written, but the caller is told that it failed.
    After,
    /// Nothing was written, for want of room.
    Full,
}

/// Where somebody looks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    BeforeWrite,
    AfterWrite,
    BeforeFlush,
    AfterFlush,
}

type Observer = Box<dyn Fn(Point) + Send + Sync>;

/// What goes wrong, and what went on.
#[derive(Default)]
pub(crate) struct Plan {
    fail_write: Option<(usize, Fault)>,
    fail_read: Option<usize>,
    /// So many reads fail after the write that does.
    then_reads: AtomicUsize,
    observer: Option<Observer>,
    writes: AtomicUsize,
    reads: AtomicUsize,
}

thread_local! {
    static PLAN: RefCell<Option<Arc<Plan>>> = const { RefCell::new(None) };
}

impl Plan {
    /// Only counts.
    pub(crate) fn nothing() -> Arc<Self> {
        Arc::default()
    }

    /// The write of this number fails, counted from 0.
    pub(crate) fn write_fails(at: usize, fault: Fault) -> Arc<Self> {
        Arc::new(Self { fail_write: Some((at, fault)), ..Self::default() })
    }

    /// The same, and so many reads after it fail too.
    pub(crate) fn write_fails_then_reads(at: usize, fault: Fault, reads: usize) -> Arc<Self> {
        let then_reads = AtomicUsize::new(reads);
        Arc::new(Self { fail_write: Some((at, fault)), then_reads, ..Self::default() })
    }

    /// The read of this number fails, counted from 0.
    pub(crate) fn read_fails(at: usize) -> Arc<Self> {
        Arc::new(Self { fail_read: Some(at), ..Self::default() })
    }

    /// `observer` is called around every write and flush.
    pub(crate) fn observed(observer: impl Fn(Point) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { observer: Some(Box::new(observer)), ..Self::default() })
    }

    /// Runs `run`; stores that this thread opens in it follow the plan.
    pub(crate) fn during<T>(self: &Arc<Self>, run: impl FnOnce() -> T) -> T {
        struct Restored(Option<Arc<Plan>>);
        impl Drop for Restored {
            fn drop(&mut self) {
                PLAN.set(self.0.take());
            }
        }
        let _before = Restored(PLAN.replace(Some(self.clone())));
        run()
    }

    pub(crate) fn writes(&self) -> usize {
        self.writes.load(SeqCst)
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }

    fn look(&self, point: Point) {
        if let Some(observer) = &self.observer {
            observer(point);
        }
    }

    fn read(&self) -> Result<(), StoreError> {
        let number = self.reads.fetch_add(1, SeqCst);
        let failed_write = self.fail_write.is_some_and(|(at, _)| self.writes() > at);
        let then =
            failed_write && self.then_reads.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if then || self.fail_read == Some(number) {
            return Err(StoreError::new("IO error: injected".into()));
        }
        Ok(())
    }
}

/// What [`Store::open`](super::Store::open) works on.
pub(super) fn wrap(inner: Box<dyn Backend>) -> Box<dyn Backend> {
    match PLAN.with_borrow(Clone::clone) {
        Some(plan) => Box::new(Faulty { inner, plan }),
        None => inner,
    }
}

struct Faulty {
    inner: Box<dyn Backend>,
    plan: Arc<Plan>,
}

impl Backend for Faulty {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.plan.read()?;
        self.inner.get(family, key)
    }

    fn get_many(&self, family: Family, keys: &[&[u8]], read: &mut Answer<'_>) {
        self.inner.get_many(family, keys, &mut |row| match self.plan.read() {
            Ok(()) => read(row),
            Err(error) => read(Err(error)),
        });
    }

    fn rows(&self, family: Family, from: &[u8]) -> Rows<'_> {
        let rows = self.inner.rows(family, from);
        Box::new(rows.map(|row| self.plan.read().and(row)))
    }

    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        Box::new(Looking { inner: self.inner.snapshot(), plan: &self.plan })
    }

    fn batch(&self) -> Box<dyn WriteBatch + '_> {
        Box::new(Failing { inner: self.inner.batch(), plan: &self.plan })
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.plan.look(Point::BeforeFlush);
        let flushed = self.inner.flush();
        self.plan.look(Point::AfterFlush);
        flushed
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.inner.compact()
    }

    fn checkpoint(&self, into: &std::path::Path) -> Result<(), StoreError> {
        self.inner.checkpoint(into)
    }
}

struct Looking<'a> {
    inner: Box<dyn Snapshot + 'a>,
    plan: &'a Plan,
}

impl Snapshot for Looking<'_> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.plan.read()?;
        self.inner.get(family, key)
    }

    fn scan(&self, family: Family, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let mut failed = Ok(());
        self.inner.scan(family, from, &mut |key, value| match self.plan.read() {
            Ok(()) => visit(key, value),
            Err(error) => {
                failed = Err(error);
                ControlFlow::Break(())
            }
        })?;
        failed
    }
}

struct Failing<'a> {
    inner: Box<dyn WriteBatch + 'a>,
    plan: &'a Plan,
}

impl WriteBatch for Failing<'_> {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.inner.put(family, key, value);
    }

    fn delete(&mut self, family: Family, key: &[u8]) {
        self.inner.delete(family, key);
    }

    fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        self.inner.delete_range(family, from, to);
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let Self { inner, plan } = *self;
        let number = plan.writes.fetch_add(1, SeqCst);
        let fault = plan.fail_write.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        match fault {
            Some(Fault::Before) => return Err(StoreError::new("IO error: injected".into())),
            Some(Fault::Full) => {
                return Err(StoreError::new("IO error: No space left on device: injected".into()));
            }
            Some(Fault::After) | None => {}
        }
        plan.look(Point::BeforeWrite);
        inner.commit()?;
        plan.look(Point::AfterWrite);
        match fault {
            Some(_) => Err(StoreError::new("IO error: injected, after the write".into())),
            None => Ok(()),
        }
    }
}
