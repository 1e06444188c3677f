//! CSV: a header, commas, quotes where they are needed; nothing for nothing, times as RFC 3339 in UTC.

use std::io::{self, Write};

use csv::{Writer, WriterBuilder};

use super::Sink;
use super::file::PartFile;
use crate::model::Timestamp;
use crate::model::table::{Cell, Column, Kind, Rows};

pub(super) struct CsvSink {
    writer: Writer<PartFile>,
    columns: &'static [Column],
    /// The column that is next.
    next: usize,
    text: Vec<u8>,
}

impl CsvSink {
    pub(super) fn new(file: PartFile, columns: &'static [Column]) -> io::Result<Self> {
        let mut writer = WriterBuilder::new()
            .buffer_capacity(1 << 16)
            .from_writer(file);
        writer.write_record(columns.iter().map(Column::name))?;
        Ok(Self {
            writer,
            columns,
            next: 0,
            text: Vec::with_capacity(32),
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
            Cell::Text(text) => return Ok(self.writer.write_field(text)?),
            Cell::Int(ms) if kind == Kind::Time => {
                write!(self.text, "{}", Timestamp::from_millis(ms))?;
            }
            Cell::Int(number) => write!(self.text, "{number}")?,
            Cell::Double(number) => write!(self.text, "{number}")?,
            Cell::Bool(flag) => self
                .text
                .extend_from_slice(if flag { b"true" } else { b"false" }),
        }
        Ok(self.writer.write_field(&self.text)?)
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.next = 0;
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }
}

impl Sink for CsvSink {
    fn finish(self: Box<Self>) -> io::Result<PartFile> {
        self.writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)
    }
}
