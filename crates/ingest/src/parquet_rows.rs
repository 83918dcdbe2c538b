use std::any::Any;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::PageReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::Field;
use parquet::record::reader::{ReaderIter, RowIter, TreeBuilder};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr};
use serde_json::{Map, Value};

use crate::Mapping;
use crate::assemble::{assemble, blame};
use crate::parquet_values::{json, text_bytes, timestamp};
use crate::plan::{Plan, Target};
use crate::record::{Problem, Raw, Row, Rows, Stop};
use crate::{parquet_pages, parquet_schema};

/// Reads Parquet row by row; nested columns become JSON.
pub(crate) struct ParquetRows {
    file: SerializedFileReader<File>,
    /// The same file, for looking at pages before the library does.
    pages: File,
    /// The file's schema with texts taken as bytes: the library gives up on a row whose text is not UTF-8, and with it
    /// on the rest of the file.
    schema: SchemaDescPtr,
    group: usize,
    rows: Option<ReaderIter>,
    row: u64,
    last: Vec<(String, Field)>,
    /// For each top-level column, whether it counts nanoseconds since 1970, which the library shows as a number.
    nanoseconds: Vec<bool>,
    plan: Plan,
    mapping: Arc<Mapping>,
    max_bytes: usize,
    progress: Progress,
}

/// How far a file is read, in bytes, as far as rows tell.
struct Progress {
    count: Arc<AtomicU64>,
    base: u64,
    bytes: u64,
    rows: u64,
}

impl ParquetRows {
    pub(crate) fn new(
        mut file: File,
        mapping: Arc<Mapping>,
        max_bytes: usize,
        count: Arc<AtomicU64>,
    ) -> Result<Self, Stop> {
        if let Some(problem) = parquet_schema::problem(&mut file)? {
            return Err(problem.into());
        }
        let bytes = file.metadata()?.len();
        let pages = file.try_clone()?;
        guard(|| {
            let file = SerializedFileReader::new(file)?;
            let metadata = file.metadata().file_metadata();
            let root = metadata.schema_descr().root_schema_ptr();
            let columns = root.get_fields().iter().map(|field| field.name().to_owned()).collect();
            let nanoseconds = root.get_fields().iter().map(|field| is_nanoseconds(field)).collect();
            let schema = Arc::new(SchemaDescriptor::new(texts_as_bytes(&root)?));
            let rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
            let base = count.load(Ordering::Relaxed);
            Ok(Self {
                file,
                pages,
                schema,
                group: 0,
                rows: None,
                row: 0,
                last: Vec::new(),
                nanoseconds,
                plan: Plan::new(&mapping, columns),
                mapping,
                max_bytes,
                progress: Progress { count, base, bytes, rows },
            })
        })
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    fn read(&mut self) -> ParquetResult<bool> {
        loop {
            if let Some(row) = self.rows.as_mut().and_then(Iterator::next) {
                self.last = row?.into_columns();
                return Ok(true);
            }
            if self.group >= self.file.num_row_groups() {
                return Ok(false);
            }
            let inner = self.file.get_row_group(self.group)?;
            let group = ByteGroup::new(inner, &self.schema, &self.pages)?;
            self.rows = Some(TreeBuilder::new().as_iter(self.schema.clone(), &group)?);
            self.group += 1;
        }
    }

    fn value(&self, at: usize, binary: &mut bool) -> Value {
        match &self.last[at].1 {
            Field::Long(nanos) if self.nanoseconds[at] => Value::String(timestamp(*nanos, 1_000_000_000)),
            field => json(field, binary),
        }
    }

    fn product(&self) -> Result<xunpin_core::Product, Box<Problem>> {
        let bytes: usize = self.last.iter().map(|(_, field)| text_bytes(field)).sum();
        if bytes > self.max_bytes {
            let problem = format!(
                "the row holds {bytes} bytes of text; at most {} are read (`--max-line-bytes` raises that)",
                self.max_bytes
            );
            return Err(Box::new(Problem::line(problem)));
        }
        let mut cells = Vec::with_capacity(self.last.len());
        let mut unreadable = None;
        for at in 0..self.last.len() {
            let mut binary = false;
            let value = self.value(at, &mut binary);
            if binary && !matches!(self.plan.targets[at], Target::Extra(_)) {
                unreadable.get_or_insert_with(|| {
                    Problem::field(self.plan.columns[at].clone(), "holds bytes that are not UTF-8 text")
                });
            } else {
                cells.push((at, value));
            }
        }
        let product = assemble(&self.plan, &self.mapping, cells.into_iter());
        match unreadable {
            None => product,
            Some(problem) => Err(blame(problem, product)),
        }
    }
}

impl Rows for ParquetRows {
    fn next_row(&mut self) -> Result<Option<Row>, Stop> {
        let found = guard(AssertUnwindSafe(|| self.read()))?;
        if !found {
            return Ok(None);
        }
        self.row += 1;
        let Progress { count, base, bytes, rows } = &self.progress;
        let done = u128::from(*bytes) * u128::from(self.row) / u128::from((*rows).max(1));
        count.store(base + (done as u64).min(*bytes), Ordering::Relaxed);
        let content = guard(AssertUnwindSafe(|| Ok(self.product())))?;
        Ok(Some(Row { line: self.row, content }))
    }

    fn raw(&self) -> Raw {
        let mut binary = false;
        let row: Map<_, _> =
            (0..self.last.len()).map(|at| (self.last[at].0.clone(), self.value(at, &mut binary))).collect();
        Raw::new(Value::Object(row).to_string(), !binary)
    }
}

/// Runs `work`; a panic becomes an error, for the library asserts what a damaged file does not hold.
fn guard<T>(work: impl FnOnce() -> ParquetResult<T>) -> Result<T, Stop> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(describe(panic.as_ref())))
        .map_err(Stop::from)
}

fn describe(panic: &(dyn Any + Send)) -> ParquetError {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    ParquetError::General(text.unwrap_or("the decoder failed").to_owned())
}

fn is_nanoseconds(field: &Type) -> bool {
    matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::Timestamp(kind)) if kind.unit == TimeUnit::NANOS)
}

/// `field` with texts, and whatever else is kept as bytes and is no number, as plain bytes.
fn texts_as_bytes(field: &TypePtr) -> ParquetResult<TypePtr> {
    let info = field.get_basic_info();
    match field.as_ref() {
        Type::PrimitiveType { physical_type, type_length, .. } => {
            let is_number = info.converted_type() == ConvertedType::DECIMAL
                || matches!(info.logical_type_ref(), Some(LogicalType::Float16));
            match physical_type {
                PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY if !is_number => {
                    let plain = Type::primitive_type_builder(field.name(), *physical_type)
                        .with_repetition(info.repetition())
                        .with_length(*type_length);
                    Ok(Arc::new(plain.build()?))
                }
                _ => Ok(field.clone()),
            }
        }
        Type::GroupType { fields, .. } => {
            let fields = fields.iter().map(texts_as_bytes).collect::<ParquetResult<_>>()?;
            let mut group = Type::group_type_builder(field.name())
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_fields(fields);
            if info.has_repetition() {
                group = group.with_repetition(info.repetition());
            }
            Ok(Arc::new(group.build()?))
        }
    }
}

/// A row group whose columns have the types of another schema.
struct ByteGroup<'a> {
    inner: Box<dyn RowGroupReader + 'a>,
    pages: &'a File,
    metadata: RowGroupMetaData,
}

impl<'a> ByteGroup<'a> {
    fn new(
        inner: Box<dyn RowGroupReader + 'a>,
        schema: &SchemaDescPtr,
        pages: &'a File,
    ) -> ParquetResult<Self> {
        let columns = schema
            .columns()
            .iter()
            .map(|column| ColumnChunkMetaData::builder(column.clone()).build())
            .collect::<ParquetResult<_>>()?;
        let metadata = RowGroupMetaData::builder(schema.clone())
            .set_num_rows(inner.metadata().num_rows())
            .set_column_metadata(columns)
            .build()?;
        Ok(Self { inner, pages, metadata })
    }
}

impl RowGroupReader for ByteGroup<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        &self.metadata
    }

    fn num_columns(&self) -> usize {
        self.inner.num_columns()
    }

    fn get_column_page_reader(&self, column: usize) -> ParquetResult<Box<dyn PageReader>> {
        let (start, length) = self.inner.metadata().column(column).byte_range();
        parquet_pages::check(self.pages, start, length)?;
        self.inner.get_column_page_reader(column)
    }

    fn get_column_bloom_filter(&self, column: usize) -> Option<&Sbbf> {
        self.inner.get_column_bloom_filter(column)
    }

    fn get_row_iter(&self, projection: Option<Type>) -> ParquetResult<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}
