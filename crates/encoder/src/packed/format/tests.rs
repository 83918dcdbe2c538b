use std::fs;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::packed::{PackedEngine, prepare};
use crate::precision::{Precision, prepared_path};

/// Whole files of two tiny models.
static WHOLE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let of = |name: &str, precision: Precision| {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
        let folder = TempDir::new().unwrap();
        let folder = folder.path();
        for entry in ["", "1_Pooling", "2_Dense", "3_Dense"] {
            let Ok(files) = fs::read_dir(fixtures.join(entry)) else { continue };
            fs::create_dir_all(folder.join(entry)).unwrap();
            for file in files.map(Result::unwrap).filter(|file| file.path().is_file()) {
                fs::copy(file.path(), folder.join(entry).join(file.file_name())).unwrap();
            }
        }
        prepare(folder, precision).unwrap();
        fs::read(prepared_path(folder, precision)).unwrap()
    };
    vec![of("tiny-gemma3", Precision::Int8), of("tiny-bert", Precision::Bf16)]
});

fn header_of(file: &[u8]) -> Value {
    let length = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
    serde_json::from_slice(&file[HEADER_AT..HEADER_AT + length]).unwrap()
}

/// The file with another header, whose length and checksum are right.
fn with_header(file: &[u8], header: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[12..16].copy_from_slice(&(header.len() as u32).to_le_bytes());
    file[16..24].copy_from_slice(&xxh3_64(header).to_le_bytes());
    file[HEADER_AT..HEADER_AT + header.len()].copy_from_slice(header);
    file
}

/// Opens a file of these bytes, reads what is said to be there, and runs a text.
fn open(bytes: &[u8]) -> Result<(), ModelError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("int8.xpm");
    fs::write(&path, bytes).unwrap();
    let contents = Contents::open(&path)?;
    let _ = contents.verify();
    for name in contents.header.sections.keys() {
        let span = contents.span_of_any_length::<u8>(name)?;
        assert_eq!(span.get().len(), span.length);
        let _ = contents.span_of_any_length::<f32>(name);
    }
    let engine = PackedEngine::new(&contents, 1, 64)?;
    let length = contents.header.fingerprint.max_tokens.min(5);
    let vectors = engine.vectors(&[vec![1; length], Vec::new()], 1);
    assert!(vectors.iter().all(|vector| vector.len() == contents.header.fingerprint.dimension));
    Ok(())
}

/// Every value inside a JSON value, by its path.
fn pointers(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                pointers(value, &format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), out);
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                pointers(value, &format!("{path}/{at}"), out);
            }
        }
        _ => {}
    }
    out.push(path.to_owned());
}

#[test]
fn whole_files_are_read() {
    for file in WHOLE.iter() {
        open(file).unwrap();
        // A header written by another serialiser.
        open(&with_header(file, &serde_json::to_vec(&header_of(file)).unwrap())).unwrap();
    }
    assert!(matches!(open(b""), Err(ModelError::Prepared { .. })));
}

#[test]
fn headers_that_would_leave_their_tables_are_refused() {
    let changes = [
        (0, "/blueprint/layers/0", json!({"window": 0})),
        (0, "/blueprint/heads/width", json!(7)),
        (0, "/blueprint/heads/kv_heads", json!(3)),
        (0, "/blueprint/heads/heads", json!(1u64 << 62)),
        (0, "/blueprint/width", json!(0)),
        (0, "/blueprint/max_positions", json!(1u64 << 40)),
        (0, "/blueprint/dense/0/inputs", json!(3)),
        (0, "/blueprint/dense/1/outputs", json!(31)),
        (0, "/fingerprint/dimension", json!(7)),
        (0, "/fingerprint/max_tokens", json!(1 << 20)),
        (1, "/blueprint/positions/table/rows", json!(1)),
        (1, "/blueprint/positions/table/rows", json!(u64::MAX)),
        (1, "/blueprint/positions/table/padding", json!(u32::MAX)),
        (1, "/blueprint/pooling/width", json!(1)),
    ];
    for (file, pointer, value) in changes {
        let file = &WHOLE[file];
        let mut header = header_of(file);
        *header.pointer_mut(pointer).unwrap() = value;
        let error = open(&with_header(file, &serde_json::to_vec(&header).unwrap())).unwrap_err();
        assert!(matches!(&error, ModelError::Prepared { .. }), "{pointer}: {error}");
    }
}

/// Values that a damaged or hostile header may hold.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..300).prop_map(Value::from),
        (0u32..64).prop_map(|shift| Value::from(1u64 << shift)),
        any::<f64>().prop_map(Value::from),
        "[a-z_.0-9]{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!("causal")),
        Just(json!({"window": 1})),
        Just(json!({"table": {"rows": 1u64 << 60, "padding": 4_294_967_295u32}})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), magic: bool) {
        let mut bytes = bytes;
        if magic && bytes.len() >= HEADER_AT {
            bytes[..8].copy_from_slice(MAGIC);
            bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
            let json = xxh3_64(&bytes[HEADER_AT..]);
            let length = (bytes.len() - HEADER_AT) as u32;
            bytes[12..16].copy_from_slice(&length.to_le_bytes());
            bytes[16..24].copy_from_slice(&json.to_le_bytes());
        }
        prop_assert!(open(&bytes).is_err());
    }

    #[test]
    fn any_header_bytes_are_read_without_a_panic(
        which in 0usize..2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let file = &WHOLE[which];
        let mut header = serde_json::to_vec(&header_of(file)).unwrap();
        for (at, byte) in changes {
            let at = at.index(header.len());
            header[at] = byte;
        }
        let _ = open(&with_header(file, &header));
    }

    #[test]
    fn any_header_values_are_read_without_a_panic(
        which in 0usize..2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), odd_value()), 1..4),
    ) {
        let file = &WHOLE[which];
        let mut header = header_of(file);
        for (at, value) in changes {
            let mut all = Vec::new();
            pointers(&header, "", &mut all);
            if let Some(place) = header.pointer_mut(&all[at.index(all.len())]) {
                *place = value;
            }
        }
        let mut header = serde_json::to_vec(&header).unwrap();
        // Longer than the room for it, a header would run into the sections: that is tested as damage of those.
        header.truncate(file.len() - HEADER_AT);
        let _ = open(&with_header(file, &header));
    }

    #[test]
    fn files_cut_anywhere_are_refused_or_whole(which in 0usize..2, at: prop::sample::Index) {
        let file = &WHOLE[which];
        let length = at.index(file.len());
        prop_assert!(open(&file[..length]).is_err() || length + ALIGNMENT as usize > file.len());
    }
}
