//! Parquet files written column by column.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::common::Outcome;
use parquet::basic::Compression;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::json;
use xunpin_ingest::{Catalogue, Input, Mapping, ReadError, ReadOptions};

fn write(
    path: &Path,
    schema: &str,
    compression: Compression,
    fill: impl Fn(&mut SerializedRowGroupWriter<'_, File>),
) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    fill(&mut group);
    group.close().unwrap();
    writer.close().unwrap();
}

macro_rules! column {
    ($group:expr, $kind:ty, $values:expr, $definitions:expr, $repetitions:expr) => {{
        let mut column = $group.next_column().unwrap().unwrap();
        column.typed::<$kind>().write_batch(&$values, $definitions, $repetitions).unwrap();
        column.close().unwrap();
    }};
}

fn texts(values: &[&str]) -> Vec<ByteArray> {
    values.iter().map(|v| ByteArray::from(*v)).collect()
}

fn open(path: &Path) -> Outcome {
    Outcome::of(Catalogue::open(&[Input::File(path.into())], &Mapping::default(), ReadOptions::default()))
}

const NESTED: &str = "message m {
    required int64 id;
    required binary title (UTF8);
    optional binary brand;
    required double price;
    optional int32 stock;
    required int64 update_time (TIMESTAMP_MILLIS);
    required float weight;
    required boolean fresh;
    optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }
    optional group attributes (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    required group maker { required binary city (UTF8); }
    required fixed_len_byte_array(3) picture;
}";

fn fill_nested(group: &mut SerializedRowGroupWriter<'_, File>) {
    column!(group, Int64Type, [1, 2, 3], None, None);
    column!(
        group,
        ByteArrayType,
        [ByteArray::from("面霜"), ByteArray::from(vec![0xff, 0xfe]), ByteArray::from("精华")],
        None,
        None
    );
    column!(group, ByteArrayType, texts(&["Lumira"]), Some(&[1, 0, 0]), None);
    column!(group, DoubleType, [199.5, 20.0, f64::NAN], None, None);
    column!(group, Int32Type, [7], Some(&[1, 0, 0]), None);
    column!(group, Int64Type, [1_478_908_800_000, 0, 0], None, None);
    column!(group, FloatType, [19.9, 0.0, 0.0], None, None);
    column!(group, BoolType, [true, false, false], None, None);
    column!(group, ByteArrayType, texts(&["滋润", "保湿"]), Some(&[3, 3, 0, 0]), Some(&[0, 1, 0, 0]));
    column!(group, ByteArrayType, texts(&["材质"]), Some(&[2, 0, 0]), Some(&[0, 0, 0]));
    column!(group, ByteArrayType, texts(&["棉"]), Some(&[3, 0, 0]), Some(&[0, 0, 0]));
    column!(group, ByteArrayType, texts(&["上海", "杭州", "苏州"]), None, None);
    let picture = FixedLenByteArray::from(vec![0xff, 0x00, 0xff]);
    column!(group, FixedLenByteArrayType, [picture.clone(), picture.clone(), picture], None, None);
}

#[test]
fn nested_columns_become_json() {
    let dir = tempfile::tempdir().unwrap();
    for (name, compression) in [
        ("a.parquet", Compression::UNCOMPRESSED),
        ("b.parquet", Compression::SNAPPY),
        ("no extension", Compression::ZSTD(Default::default())),
    ] {
        let path = dir.path().join(name);
        write(&path, NESTED, compression, fill_nested);
        let outcome = open(&path);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!(outcome.records.len(), 1);
        assert_eq!(outcome.records[0].line, 1);
        assert_eq!(
            serde_json::to_value(outcome.products()[0]).unwrap(),
            json!({"id": "1", "title": "面霜", "brand": "Lumira", "price": 199.5, "stock": 7,
                "updated_at": "2016-11-12T00:00:00", "weight": 19.9, "fresh": true, "tags": ["滋润", "保湿"],
                "attributes": {"材质": ["棉"]}, "maker": {"city": "上海"}, "picture": null})
        );
        assert_eq!(
            outcome.faults().iter().map(|f| &f[..30.min(f.floor_char_boundary(30))]).collect::<Vec<_>>(),
            ["2: title: holds bytes that are", "3: price: \"NaN\" is not a price"].map(|f| &f[..30])
        );
        assert!(outcome.rejects[1].raw.contains("\"title\":\"精华\""), "{}", outcome.rejects[1].raw);
    }
}

#[test]
fn missing_columns_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, "message m { required int64 code; }", Compression::UNCOMPRESSED, |group| {
        column!(group, Int64Type, [1], None, None);
    });
    let message = open(&path).error.unwrap().to_string();
    assert!(message.contains("no column is recognised as `id`") && message.contains("code"), "{message}");
}

#[test]
fn damage_ends_the_file_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, NESTED, Compression::UNCOMPRESSED, fill_nested);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(open(&path).error, Some(ReadError::Damaged { records: 0, .. })));
    std::fs::write(&path, "no such thing").unwrap();
    assert!(matches!(open(&path).error, Some(ReadError::Damaged { records: 0, .. })));
    // Any one byte damaged: never a panic, and never more rows than there are.
    for at in (4..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, bytes).unwrap();
        let outcome = open(&path);
        assert!(outcome.error.is_some() || outcome.records.len() + outcome.rejects.len() <= 3);
    }
}

#[test]
fn long_rows_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let schema = "message m { required int64 id; required binary title (UTF8); }";
    write(&path, schema, Compression::SNAPPY, |group| {
        column!(group, Int64Type, [1, 2], None, None);
        column!(group, ByteArrayType, texts(&[&"长".repeat(3_500_000), "b"]), None, None);
    });
    let outcome = open(&path);
    assert_eq!(outcome.ids(), ["2"]);
    assert!(outcome.faults()[0].starts_with("1: -: the row holds 10500000 bytes of text"));
}
