//! Where a model is computed.

use std::fmt;
use std::str::FromStr;

use crate::{ModelError, Precision};

/// What a model runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The NVIDIA GPU of that number, as CUDA counts them. Needs a program built with the feature `cuda`; bf16 needs
    /// compute capability 8.0, int8 does not run there.
    Cuda(usize),
}

impl Device {
    /// The precision to choose where none is asked for: the fastest that this device has.
    pub fn default_precision(self) -> Precision {
        match self {
            Self::Cpu => Precision::default(),
            Self::Cuda(_) => Precision::Bf16,
        }
    }

    /// The device as candle has it.
    pub(crate) fn open(self) -> Result<candle_core::Device, ModelError> {
        let opened = match self {
            Self::Cpu => Ok(candle_core::Device::Cpu),
            // A stream of its own, which all threads share: candle's usual one is another in every thread, and what one
            // thread has written need not be there yet for the next.
            Self::Cuda(ordinal) => candle_core::Device::new_cuda_with_stream(ordinal),
        };
        opened.map_err(|source| match source {
            candle_core::Error::NotCompiledWithCudaSupport => ModelError::DeviceNotBuilt { device: self },
            source => self.failed(source),
        })
    }

    /// The error of an operation on this device while a model is opened.
    pub(crate) fn failed(self, source: candle_core::Error) -> ModelError {
        ModelError::Device { device: self, source: Box::new(source) }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.pad("cpu"),
            Self::Cuda(ordinal) => f.pad(&format!("cuda:{ordinal}")),
        }
    }
}

/// A name that is no device's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no device; give cpu, cuda or cuda:N")]
pub struct DeviceError {
    /// What was given.
    pub given: String,
}

impl FromStr for Device {
    type Err = DeviceError;

    /// `cpu`, `cuda:N`, or `cuda` for the first GPU.
    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError { given: name.to_owned() };
        match name.split_once(':') {
            None if name == "cpu" => Ok(Self::Cpu),
            None if name == "cuda" => Ok(Self::Cuda(0)),
            // Digits alone: a number may not have a sign.
            Some(("cuda", ordinal)) if ordinal.bytes().all(|byte| byte.is_ascii_digit()) => {
                ordinal.parse().map(Self::Cuda).map_err(|_| unknown())
            }
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for device in [Device::Cpu, Device::Cuda(0), Device::Cuda(12)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for name in [
            "",
            "gpu",
            "CPU",
            "cpu:0",
            "cuda:",
            "cuda:+1",
            "cuda:-1",
            "cuda:1:2",
            "cuda:99999999999999999999",
        ] {
            let error = name.parse::<Device>().unwrap_err();
            assert!(error.given == name && error.to_string().contains("cuda:N"), "{error}");
        }
    }
}
