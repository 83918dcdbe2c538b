use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use xxhash_rust::xxh3::Xxh3;

use crate::ModelError;
use crate::json::JsonFile;

/// Bytes of every tensor that go into the hash of the weights.
const HASHED_BYTES: usize = 4096;

/// The memory-mapped safetensors files of one folder.
///
/// The files must not change while they are mapped: models are replaced by moving a new folder into place,
/// never written over.
pub(crate) struct Weights {
    /// The file, or the folder if there are several; named in errors.
    path: PathBuf,
    files: Vec<WeightsFile>,
    /// Name to file and place.
    tensors: BTreeMap<String, Place>,
}

struct WeightsFile {
    path: PathBuf,
    map: Arc<Mmap>,
    /// Where the tensors' data begins.
    data: usize,
}

#[derive(Clone)]
struct Place {
    file: usize,
    kind: Dtype,
    shape: Vec<usize>,
    start: usize,
    end: usize,
}

impl Weights {
    /// Maps `model.safetensors` of `folder`, or the files that `model.safetensors.index.json` lists.
    pub(crate) fn open(folder: &Path) -> Result<Self, ModelError> {
        let index = JsonFile::read_optional(folder.join("model.safetensors.index.json"))?;
        let (path, names) = match &index {
            Some(index) => {
                let map: BTreeMap<String, String> = index.required("weight_map")?;
                let names: BTreeSet<String> = map.into_values().collect();
                if let Some(name) =
                    names.iter().find(|name| Path::new(name).file_name() != Some(name.as_ref()))
                {
                    let problem = format!("`{name}` is not the name of a file in the model's folder");
                    return Err(index.field_error("weight_map", problem));
                }
                (folder.to_owned(), names)
            }
            None => (folder.join("model.safetensors"), BTreeSet::from(["model.safetensors".to_owned()])),
        };
        let mut weights = Self { path, files: Vec::new(), tensors: BTreeMap::new() };
        for name in names {
            weights.add(folder.join(name))?;
        }
        Ok(weights)
    }

    fn add(&mut self, path: PathBuf) -> Result<(), ModelError> {
        let io = |source| ModelError::from_io(&path, source);
        let file = File::open(&path).map_err(io)?;
        // SAFETY: the map is only read, and the files are not changed while mapped (see `Weights`).
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        let (header, metadata) = SafeTensors::read_metadata(&map)
            .map_err(|source| ModelError::Weights { path: path.clone(), source })?;
        let data = 8 + header;
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            let place = Place {
                file: self.files.len(),
                kind: info.dtype,
                shape: info.shape.clone(),
                start: data + start,
                end: data + end,
            };
            self.tensors.insert(name, place);
        }
        self.files.push(WeightsFile { path, map: Arc::new(map), data });
        Ok(())
    }

    /// True if there is a tensor of that name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<(&Place, &WeightsFile), ModelError> {
        let place = self
            .tensors
            .get(name)
            .ok_or_else(|| ModelError::TensorMissing { path: self.path.clone(), name: name.to_owned() })?;
        let file = &self.files[place.file];
        if place.shape != shape {
            return Err(ModelError::TensorShape {
                path: file.path.clone(),
                name: name.to_owned(),
                expected: shape.to_vec(),
                got: place.shape.clone(),
            });
        }
        if !matches!(place.kind, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            let got = format!("{:?}", place.kind);
            return Err(ModelError::TensorType { path: file.path.clone(), name: name.to_owned(), got });
        }
        Ok((place, file))
    }

    /// Appends the values of tensor `name`, which must have `shape`, to `out`, row after row.
    pub(crate) fn append(&self, name: &str, shape: &[usize], out: &mut Vec<f32>) -> Result<(), ModelError> {
        let (place, file) = self.find(name, shape)?;
        let start = out.len();
        out.resize(start + shape.iter().product::<usize>(), 0.0);
        decode(place.kind, &file.map[place.start..place.end], &mut out[start..]);
        Ok(())
    }

    /// The bytes of tensor `name`, which must have `shape`, as its file has them: little-endian values, row after row, of
    /// a format that is one of f32, f16 and bf16.
    pub(crate) fn bytes(&self, name: &str, shape: &[usize]) -> Result<(&[u8], Dtype), ModelError> {
        let (place, file) = self.find(name, shape)?;
        Ok((&file.map[place.start..place.end], place.kind))
    }

    /// A vector of `length` values.
    pub(crate) fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        let mut values = Vec::with_capacity(length);
        self.append(name, &[length], &mut values)?;
        Ok(values)
    }

    /// Tensor `name` of shape `[rows, width]`, left in the mapped file and read row by row.
    pub(crate) fn table(&self, name: &str, rows: usize, width: usize) -> Result<Table, ModelError> {
        let (place, file) = self.find(name, &[rows, width])?;
        Ok(Table { map: file.map.clone(), start: place.start, kind: place.kind, width })
    }

    /// Feeds `hash` with what tells these weights from others: of each file, the header (names, shapes, formats)
    /// and the first 4 KiB of every tensor. Reading all would cost a gigabyte at every open.
    pub(crate) fn hash_into(&self, hash: &mut Xxh3) {
        for file in &self.files {
            hash.update(&file.map[..file.data]);
        }
        for place in self.tensors.values() {
            let end = place.end.min(place.start + HASHED_BYTES);
            hash.update(&self.files[place.file].map[place.start..end]);
        }
    }
}

/// A matrix that stays in its mapped file: the token embeddings, of which a text needs a few rows.
pub(crate) struct Table {
    map: Arc<Mmap>,
    start: usize,
    kind: Dtype,
    width: usize,
}

impl Table {
    /// Copies row `at`, which there must be, into `out`, of the table's width.
    pub(crate) fn copy_row(&self, at: usize, out: &mut [f32]) {
        let bytes = self.width * self.kind.bitsize() / 8;
        let start = self.start + at * bytes;
        decode(self.kind, &self.map[start..start + bytes], out);
    }
}

/// Little-endian values of a format that [`Weights::find`] lets through.
fn decode(kind: Dtype, bytes: &[u8], out: &mut [f32]) {
    fn each<const N: usize>(bytes: &[u8], out: &mut [f32], value: impl Fn([u8; N]) -> f32) {
        for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
            *out = value(*bytes);
        }
    }
    match kind {
        Dtype::BF16 => each(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::F16 => each(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
        _ => each(bytes, out, f32::from_le_bytes),
    }
}
