//! CSV: a header, commas, quotes where they are needed; nothing for nothing, times as RFC 3339 in UTC.
//!
//! Players choose their names, and a spreadsheet runs a cell that begins as a formula does. Such a text has a `'`
//! before it, which a spreadsheet takes as "this is text"; raw, for programs, it is as it is. Numbers are never
//! formulas.

use std::io::{self, Write};

use super::Sink;
use super::file::Output;
use crate::model::Timestamp;
use crate::model::table::{Cell, Cells, Column, Cursor, Kind, RowBatch};

/// Bytes that are written at once.
const BUFFER: usize = 1 << 16;

pub(super) struct CsvSink<W> {
    out: W,
    columns: &'static [Column],
    raw: bool,
    quotes: csv_core::Writer,
    /// Lines that are not written yet.
    lines: Vec<u8>,
}

/// Whether a spreadsheet would take the text for more than text.
fn is_formula(text: &str) -> bool {
    // The wide ones are what East Asian keyboards write, and are taken for the narrow ones.
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

impl<W: Write> CsvSink<W> {
    pub(super) fn new(out: W, columns: &'static [Column], raw: bool) -> Self {
        let mut sink = Self {
            out,
            columns,
            raw,
            quotes: csv_core::Writer::new(),
            lines: Vec::with_capacity(2 * BUFFER),
        };
        for column in columns {
            sink.text(column.name());
        }
        sink.end_line();
        sink
    }

    fn cell(&mut self, cell: Cell<'_>, kind: Kind) -> io::Result<()> {
        match cell {
            Cell::None => {}
            Cell::Text(text) if self.raw || !is_formula(text) => {
                self.text(text);
                return Ok(());
            }
            Cell::Text(text) => {
                self.text(&format!("'{text}"));
                return Ok(());
            }
            Cell::Int(ms) if kind == Kind::Time => {
                write!(self.lines, "{}", Timestamp::from_millis(ms))?;
            }
            Cell::Int(number) => {
                let mut digits = itoa::Buffer::new();
                self.lines
                    .extend_from_slice(digits.format(number).as_bytes());
            }
            Cell::Double(number) => write!(self.lines, "{number}")?,
            Cell::Bool(flag) => self
                .lines
                .extend_from_slice(if flag { b"true" } else { b"false" }),
        }
        self.lines.push(b',');
        Ok(())
    }

    /// A text with its comma.
    fn text(&mut self, text: &str) {
        let text = text.as_bytes();
        if self.quotes.should_quote(text) {
            let begin = self.lines.len();
            // Each of its bytes a quote, and one at both ends.
            self.lines.resize(begin + 2 * text.len() + 2, 0);
            let into = &mut self.lines[begin + 1..];
            let (_, _, written) = csv_core::quote(text, into, b'"', b'"', true);
            self.lines[begin] = b'"';
            self.lines.truncate(begin + 1 + written);
            self.lines.push(b'"');
        } else {
            self.lines.extend_from_slice(text);
        }
        self.lines.push(b',');
    }

    /// In the place of the last comma.
    fn end_line(&mut self) {
        self.lines.pop();
        self.lines.push(b'\n');
    }

    fn rows(&mut self, batch: &RowBatch) -> io::Result<()> {
        let mut shared: Vec<Cursor<'_>> = batch.columns.iter().map(Cells::cursor).collect();
        let mut own = shared.split_off(batch.shared);
        let (shared_columns, own_columns) = self.columns.split_at(batch.shared);
        let all = [batch.rows];
        let spans = if batch.shared == 0 {
            &all[..]
        } else {
            &batch.spans
        };
        let mut beginning = Vec::new();
        for span in spans {
            // What the rows of a match have in common is put into words once.
            let begin = self.lines.len();
            for (cells, column) in shared.iter_mut().zip(shared_columns) {
                self.cell(cells.next_cell(), column.kind)?;
            }
            beginning.clear();
            beginning.extend(self.lines.drain(begin..));
            for _ in 0..*span {
                self.lines.extend_from_slice(&beginning);
                for (cells, column) in own.iter_mut().zip(own_columns) {
                    self.cell(cells.next_cell(), column.kind)?;
                }
                self.end_line();
                if self.lines.len() >= BUFFER {
                    self.out.write_all(&self.lines)?;
                    self.lines.clear();
                }
            }
        }
        Ok(())
    }
}

impl Sink for CsvSink<Output> {
    fn write(&mut self, batch: RowBatch) -> io::Result<()> {
        self.rows(&batch)
    }

    fn finish(mut self: Box<Self>) -> io::Result<Output> {
        self.out.write_all(&self.lines)?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::together_and_apart;
    use super::*;
    use crate::model::table_columns;

    /// The file of these rows.
    fn file(columns: &[Column], rows: &RowBatch, raw: bool) -> String {
        let columns = Box::leak(columns.to_vec().into_boxed_slice());
        let mut sink = CsvSink::new(Vec::new(), columns, raw);
        sink.rows(rows).unwrap();
        String::from_utf8([sink.out, sink.lines].concat()).unwrap()
    }

    #[test]
    fn a_text_comes_back_as_it_was_and_a_formula_as_text() {
        let texts = [
            "",
            "a,b",
            "\"",
            "a\"\"b",
            "two\nlines",
            "\r",
            "=1",
            "ß, =1",
            " ",
            "'",
        ];
        let columns = table_columns![name Text, other Text "?"];
        let mut rows = RowBatch::of(&columns);
        for text in texts {
            rows.cell(Cell::Text(text));
            rows.cell(Cell::None);
            rows.end_row();
        }
        for raw in [false, true] {
            let file = file(&columns, &rows, raw);
            let mut reader = csv::Reader::from_reader(file.as_bytes());
            assert_eq!(reader.headers().unwrap(), vec!["name", "other"]);
            let read: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            let wanted = texts.map(|text| match text {
                "\r" | "=1" if !raw => format!("'{text}"),
                _ => text.to_owned(),
            });
            let names: Vec<&str> = read.iter().map(|row| &row[0]).collect();
            assert_eq!(names, wanted);
            assert!(read.iter().all(|row| row[1].is_empty()));
        }
    }

    #[test]
    fn what_rows_have_in_common_stands_in_each_of_them() {
        let (columns, together, apart) = together_and_apart();
        let files = [together, apart].map(|rows| file(&columns, &rows, false));
        assert_eq!(files[0], files[1]);
        assert_eq!(files[0].lines().count(), 1 + 4);
    }

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
