//! The number formats a model can compute with, and the files that are prepared for them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xunpin_kernels::GROUP;

use crate::packed::VERSION;

/// The number format of the weights and of what is multiplied by them. Vectors of two precisions of one model are close,
/// but not interchangeable: an index holds vectors of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats on candle: the reference.
    F32,
    /// Weights, and what they are multiplied with, as bfloat16: the nearest to f32.
    Bf16,
    /// Most weights, and what they are multiplied with, as 8-bit integers, with scales for groups of 128: the fastest.
    #[default]
    Int8,
}

impl Precision {
    /// All of them, the most exact first.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];

    /// Whether the model runs from a file that [`prepare`](crate::prepare) makes, rather than from the folder's own weights.
    pub fn needs_preparing(self) -> bool {
        self != Self::F32
    }

    /// How weights are rounded, for a fingerprint. Vectors of other ways of rounding are not interchangeable, so another way
    /// needs another name.
    pub(crate) fn rounding(self) -> String {
        match self {
            Self::F32 | Self::Bf16 => String::new(),
            Self::Int8 => format!("groups of {GROUP}, last 6th and late down in bf16"),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

/// A name that is no precision's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no precision; give f32, bf16 or int8")]
pub struct PrecisionError {
    /// What was given.
    pub given: String,
}

impl FromStr for Precision {
    type Err = PrecisionError;

    fn from_str(name: &str) -> Result<Self, PrecisionError> {
        let named = Self::ALL.into_iter().find(|precision| precision.to_string() == name);
        named.ok_or_else(|| PrecisionError { given: name.to_owned() })
    }
}

/// A prepared file, as [`prepare`](crate::prepare) left it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prepared {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// False if it was there already and belongs to these weights.
    pub made: bool,
}

/// What [`verify_prepared`](crate::verify_prepared) found of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreparedState {
    /// The file.
    pub path: PathBuf,
    /// The precision it is for.
    pub precision: Precision,
    /// Whether it is whole and belongs to the folder's weights.
    pub ok: bool,
    /// What is wrong with it.
    pub problem: Option<String>,
}

/// Where the prepared file of a model folder lies: `<folder>/xunpin/<precision>.v<version>.xpm`, so that programs of several
/// versions can use one folder. It need not be there.
pub fn prepared_path(folder: &Path, precision: Precision) -> PathBuf {
    folder.join("xunpin").join(format!("{precision}.v{VERSION}.xpm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
            assert_eq!(serde_json::to_value(precision).unwrap(), precision.to_string());
        }
        let error = "fp16".parse::<Precision>().unwrap_err();
        assert!(error.to_string().contains("int8"), "{error}");
    }
}
