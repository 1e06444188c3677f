//! Where a document goes that is made in memory.

use std::io::{self, Write};
use std::path::PathBuf;

use super::file::Output;
use super::{ExportError, Out};

/// A place for a document that is made in memory, found good before the document is made.
#[derive(Debug)]
pub struct OpenPlace {
    out: Out,
    output: Output,
}

impl OpenPlace {
    pub fn open(out: Out) -> Result<Self, ExportError> {
        match Output::open(&out) {
            Ok(output) => Ok(Self { out, output }),
            Err(error) => Err(cannot_write(&out, &error)),
        }
    }

    /// What a person calls it.
    pub fn name(&self) -> PathBuf {
        self.out.name()
    }

    pub fn is_stdout(&self) -> bool {
        self.out == Out::Stdout
    }

    /// Writes it, as a table is written.
    pub fn write(self, document: &[u8]) -> Result<(), ExportError> {
        let Self { out, mut output } = self;
        let written = output.write_all(document).and_then(|()| output.keep());
        written
            .map(|_| ())
            .map_err(|error| cannot_write(&out, &error))
    }
}

fn cannot_write(out: &Out, error: &io::Error) -> ExportError {
    match out {
        Out::Stdout if error.kind() == io::ErrorKind::BrokenPipe => ExportError::ReaderGone,
        out => ExportError::File {
            path: out.name(),
            cause: error.to_string(),
        },
    }
}
