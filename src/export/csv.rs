//! CSV: a header, commas, quotes where they are needed; nothing for nothing, times as RFC 3339 in UTC.
//!
//! Players choose their names, and a spreadsheet runs a cell that begins as a formula does. Such a text has a `'`
//! before it, which a spreadsheet takes as "this is text"; raw, for programs, it is as it is. Numbers are never
//! formulas.

use std::io::{self, Write};

use csv::{Writer, WriterBuilder};

use super::Sink;
use super::file::Output;
use crate::model::Timestamp;
use crate::model::table::{Cell, Column, Kind, RowBatch, Rows};

pub(super) struct CsvSink {
    writer: Writer<Output>,
    columns: &'static [Column],
    /// The column that is next.
    next: usize,
    text: Vec<u8>,
    raw: bool,
}

/// Whether a spreadsheet would take the text for more than text.
fn is_formula(text: &str) -> bool {
    // The wide ones are what East Asian keyboards write, and are taken for the narrow ones.
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// Of what kind it is tells whether there is no room or no reader; the crate's own conversion forgets it.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

impl CsvSink {
    pub(super) fn new(file: Output, columns: &'static [Column], raw: bool) -> io::Result<Self> {
        let mut writer = WriterBuilder::new()
            .buffer_capacity(1 << 16)
            .from_writer(file);
        let names = columns.iter().map(Column::name);
        writer.write_record(names).map_err(io_error)?;
        Ok(Self {
            writer,
            columns,
            next: 0,
            text: Vec::with_capacity(32),
            raw,
        })
    }
}

impl Rows for CsvSink {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        let kind = self.columns[self.next].kind;
        self.next += 1;
        self.text.clear();
        match cell {
            Cell::None => {}
            Cell::Text(text) if self.raw || !is_formula(text) => {
                return self.writer.write_field(text).map_err(io_error);
            }
            Cell::Text(text) => write!(self.text, "'{text}")?,
            Cell::Int(ms) if kind == Kind::Time => {
                write!(self.text, "{}", Timestamp::from_millis(ms))?;
            }
            Cell::Int(number) => {
                let mut digits = itoa::Buffer::new();
                let digits = digits.format(number);
                return self.writer.write_field(digits).map_err(io_error);
            }
            Cell::Double(number) => write!(self.text, "{number}")?,
            Cell::Bool(flag) => self
                .text
                .extend_from_slice(if flag { b"true" } else { b"false" }),
        }
        self.writer.write_field(&self.text).map_err(io_error)
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.next = 0;
        self.writer.write_record(None::<&[u8]>).map_err(io_error)
    }
}

impl Sink for CsvSink {
    fn write(&mut self, rows: RowBatch) -> io::Result<()> {
        rows.write(self)
    }

    fn finish(self: Box<Self>) -> io::Result<Output> {
        self.writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_begins_as_a_formula_does_and_others_are_as_they_are() {
        for text in ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1"] {
            assert!(is_formula(text), "{text:?}");
        }
        for text in ["", "a=1", "'=1", "0", " ", "ß", "#1"] {
            assert!(!is_formula(text), "{text:?}");
        }
    }
}
