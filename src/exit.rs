//! How a program ends.

use std::fmt;
use std::process::ExitCode;

/// Why a program does not run, or runs no longer: a sentence that names the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunError {
    /// Wrong usage or configuration; exit status 2.
    Usage(String),
    /// Failed at run time; exit status 1.
    Failed(String),
}

impl RunError {
    /// For `map_err`, where a setting turns out wrong.
    pub fn usage(why: impl fmt::Display) -> Self {
        Self::Usage(why.to_string())
    }

    /// For `map_err`, where the system refuses.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::Failed(why.to_string())
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(why) | Self::Failed(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for RunError {}

/// Says what went wrong, if something did, and gives the exit status: 0 done, 1 failed at run time, 2 wrong
/// usage or configuration.
#[must_use]
pub fn status(outcome: &Result<(), RunError>) -> ExitCode {
    if let Err(why) = outcome {
        log::error!("{why}");
    }
    ExitCode::from(match outcome {
        Ok(()) => 0,
        Err(RunError::Failed(_)) => 1,
        Err(RunError::Usage(_)) => 2,
    })
}
