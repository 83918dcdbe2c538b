use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ModelError;

/// A configuration file or a part of one: fields are read with errors that name file and field.
#[derive(Clone, Debug)]
pub(crate) struct JsonFile {
    path: PathBuf,
    /// Parents of the fields below, each followed by a dot; empty at the top.
    parents: String,
    value: Value,
}

impl JsonFile {
    /// Reads `path`, which must be JSON.
    pub(crate) fn read(path: PathBuf) -> Result<Self, ModelError> {
        let bytes = std::fs::read(&path).map_err(|source| ModelError::from_io(&path, source))?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|source| ModelError::Json { path: path.clone(), source })?;
        Ok(Self { path, parents: String::new(), value })
    }

    /// Like [`read`](Self::read), `None` if there is no such file.
    pub(crate) fn read_optional(path: PathBuf) -> Result<Option<Self>, ModelError> {
        match Self::read(path) {
            Ok(file) => Ok(Some(file)),
            Err(ModelError::MissingFile { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The elements of a file that is a list.
    pub(crate) fn elements(&self) -> Result<Vec<JsonFile>, ModelError> {
        let Value::Array(values) = &self.value else {
            return Err(self.field_error("", "a list is expected".into()));
        };
        let element = |(at, value): (usize, &Value)| Self {
            path: self.path.clone(),
            parents: format!("{}[{at}].", self.parents),
            value: value.clone(),
        };
        Ok(values.iter().enumerate().map(element).collect())
    }

    /// A field that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&self, field: &str) -> Result<T, ModelError> {
        self.optional(field)?.ok_or_else(|| self.field_error(field, "missing".into()))
    }

    /// A field that may be absent or null.
    pub(crate) fn optional<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, ModelError> {
        match self.value.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|error| self.field_error(field, format!("{error} (it holds {value})"))),
        }
    }

    /// A field that must be a whole number of at least 1, as sizes and counts are.
    pub(crate) fn size(&self, field: &str) -> Result<usize, ModelError> {
        match self.required(field)? {
            0 => Err(self.field_error(field, "0 is too small; 1 or more is expected".into())),
            size => Ok(size),
        }
    }

    /// A field that must be a finite number above 0.
    pub(crate) fn positive(&self, field: &str) -> Result<f64, ModelError> {
        match self.required::<f64>(field)? {
            value if value.is_finite() && value > 0.0 => Ok(value),
            value => Err(self.field_error(field, format!("{value} is not a number above 0"))),
        }
    }

    /// The object in `field`, if it is there.
    pub(crate) fn child(&self, field: &str) -> Result<Option<JsonFile>, ModelError> {
        match self.value.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value @ Value::Object(_)) => Ok(Some(Self {
                path: self.path.clone(),
                parents: format!("{}{field}.", self.parents),
                value: value.clone(),
            })),
            Some(_) => Err(self.field_error(field, "an object is expected".into())),
        }
    }

    pub(crate) fn field_error(&self, field: &str, problem: String) -> ModelError {
        ModelError::Field { path: self.path.clone(), field: self.full_name(field), problem }
    }

    pub(crate) fn unsupported(&self, field: &str, found: &str, supported: &'static str) -> ModelError {
        ModelError::Unsupported {
            path: self.path.clone(),
            field: self.full_name(field),
            found: found.to_owned(),
            supported,
        }
    }

    /// Refuses a field that is there, not null and not `only`.
    pub(crate) fn expect<T>(&self, field: &str, only: T, supported: &'static str) -> Result<(), ModelError>
    where
        T: DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        match self.optional::<T>(field)? {
            Some(found) if found != only => Err(self.unsupported(field, &format!("{found:?}"), supported)),
            _ => Ok(()),
        }
    }

    fn full_name(&self, field: &str) -> String {
        format!("{}{field}", self.parents)
    }
}
