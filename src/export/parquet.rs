//! Parquet: one row group after the other.

use std::io::{self, BufWriter};
use std::sync::Arc;
use std::{iter, mem};

use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::file::Output;
use super::{Sink, What};
use crate::model::table::{Cells, Column, Kind, RowBatch, Values};

/// A group of a file of one table has so many rows, and those of the page that fills it.
const GROUP: usize = 10_000;
/// Bytes that are written at once.
const BUFFER: usize = 1 << 17;

pub(super) struct ParquetWriter<W: io::Write + Send> {
    writer: SerializedFileWriter<BufWriter<W>>,
    /// Rows that wait for their group to be full.
    held: RowBatch,
    group: usize,
    written: u64,
}

/// A file of one table: each column is packed with snappy, which every reader knows.
pub(super) fn file(
    out: Output,
    what: What,
    columns: &[Column],
) -> io::Result<ParquetWriter<Output>> {
    let properties = properties().set_compression(Compression::SNAPPY);
    ParquetWriter::new(out, what.as_str(), columns, properties.build(), GROUP)
}

/// What all files have in common.
pub(super) fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by(concat!("riftsync ", env!("CARGO_PKG_VERSION")).to_owned())
}

fn schema(name: &str, columns: &[Column]) -> Result<TypePtr, ParquetError> {
    let fields: Result<Vec<TypePtr>, ParquetError> = columns
        .iter()
        .map(|column| {
            let (physical, logical) = match column.kind {
                Kind::Int => (Physical::INT32, None),
                Kind::Long => (Physical::INT64, None),
                Kind::Double => (Physical::DOUBLE, None),
                Kind::Bool => (Physical::BOOLEAN, None),
                Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
                Kind::Time => (
                    Physical::INT64,
                    Some(LogicalType::timestamp(true, TimeUnit::MILLIS)),
                ),
            };
            let repetition = if column.optional {
                Repetition::OPTIONAL
            } else {
                Repetition::REQUIRED
            };
            let field = Type::primitive_type_builder(column.name(), physical)
                .with_repetition(repetition)
                .with_logical_type(logical);
            Ok(Arc::new(field.build()?))
        })
        .collect();
    let table = Type::group_type_builder(name).with_fields(fields?);
    Ok(Arc::new(table.build()?))
}

/// Of what kind it is tells whether there is no room or no reader; the crate's own conversion forgets it.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

impl<W: io::Write + Send> ParquetWriter<W> {
    /// `group`: a row group has so many rows, and what is left of the batch that fills it.
    pub(super) fn new(
        out: W,
        name: &str,
        columns: &[Column],
        properties: WriterProperties,
        group: usize,
    ) -> io::Result<Self> {
        let out = BufWriter::with_capacity(BUFFER, out);
        let schema = schema(name, columns).map_err(io_error)?;
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties));
        Ok(Self {
            writer: writer.map_err(io_error)?,
            held: RowBatch::of(columns),
            group,
            written: 0,
        })
    }

    pub(super) fn write(&mut self, rows: RowBatch) -> io::Result<()> {
        // Matches without rows leave nothing behind.
        if rows.rows == 0 {
            return Ok(());
        }
        self.held.append(rows);
        if self.held.rows.max(self.held.spans.len()) >= self.group {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        self.encode_group().map_err(io_error)?;
        self.written += mem::take(&mut self.held.rows) as u64;
        Ok(())
    }

    fn encode_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        let (shared, spans) = (self.held.shared, mem::take(&mut self.held.spans));
        for (at, cells) in self.held.columns.iter_mut().enumerate() {
            let spans = (at < shared).then_some(&spans[..]);
            write_cells(&mut group, cells, spans)?;
        }
        group.close()?;
        Ok(())
    }

    /// What is written; rows that wait for their group are not.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Completes the file; with its rows.
    pub(super) fn finish(mut self) -> io::Result<(W, u64)> {
        if self.held.rows > 0 {
            self.write_group()?;
        }
        let buffered = self.writer.into_inner().map_err(io_error)?;
        let out = buffered
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok((out, self.written))
    }
}

impl Sink for ParquetWriter<Output> {
    fn write(&mut self, rows: RowBatch) -> io::Result<()> {
        ParquetWriter::write(self, rows)
    }

    fn finish(self: Box<Self>) -> io::Result<Output> {
        ParquetWriter::finish(*self).map(|(out, _)| out)
    }
}

/// Writes a column, which is empty then. `spans`: for how many rows each of its cells stands, where that is not one.
fn write_cells<W: io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    cells: &mut Cells,
    spans: Option<&[usize]>,
) -> Result<(), ParquetError> {
    // Those of the cells that have a value.
    let mut value_spans = None;
    if let Some(spans) = spans {
        if cells.optional {
            let of_values = spans.iter().zip(&cells.present);
            let of_values = of_values.filter(|(_, present)| **present != 0);
            value_spans = Some(of_values.map(|(span, _)| *span).collect());
            cells.present = repeated(mem::take(&mut cells.present).into_iter(), Some(spans));
        } else {
            value_spans = Some(spans.to_vec());
        }
    }
    let spans = value_spans.as_deref();
    let present = cells.optional.then_some(&cells.present[..]);
    macro_rules! write_plain {
        ($type:ty, $values:expr) => {
            if spans.is_some() {
                let values = repeated($values.drain(..), spans);
                write_column::<$type, W>(group, &values, present)?;
            } else {
                write_column::<$type, W>(group, $values, present)?;
                $values.clear();
            }
        };
    }
    match &mut cells.values {
        Values::Int(values) => write_plain!(Int32Type, values),
        Values::Long(values) => write_plain!(Int64Type, values),
        Values::Double(values) => write_plain!(DoubleType, values),
        Values::Bool(values) => write_plain!(BoolType, values),
        Values::Text(texts, ends) => {
            // Each value is a part of the one text.
            let texts = Bytes::from(mem::take(texts));
            let mut begin = 0;
            let values = ends.drain(..).map(|end| {
                let one = texts.slice(begin..end);
                begin = end;
                ByteArray::from(one)
            });
            let values: Vec<ByteArray> = repeated(values, spans);
            write_column::<ByteArrayType, W>(group, &values, present)?;
        }
    }
    cells.present.clear();
    Ok(())
}

/// Each value as often as its span says.
fn repeated<T: Clone>(values: impl Iterator<Item = T>, spans: Option<&[usize]>) -> Vec<T> {
    match spans {
        Some(spans) => {
            let each = values.zip(spans);
            each.flat_map(|(value, span)| iter::repeat_n(value, *span))
                .collect()
        }
        None => values.collect(),
    }
}

fn write_column<T: DataType, W: io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("a writer for every column");
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use super::super::tests::together_and_apart;
    use super::*;
    use crate::model::table::Cell;

    #[test]
    fn what_rows_have_in_common_stands_in_each_of_them() {
        let (columns, together, apart) = together_and_apart();
        let (_, more_together, more_apart) = together_and_apart();
        let file = |groups: [RowBatch; 2]| {
            let properties = properties().build();
            let mut file = ParquetWriter::new(Vec::new(), "t", &columns, properties, 3).unwrap();
            for rows in groups {
                file.write(rows).unwrap();
            }
            file.finish().unwrap()
        };
        let together = file([together, more_together]);
        let apart = file([apart, more_apart]);
        assert_eq!(together.1, 8);
        assert!(together.0 == apart.0, "the files are not the same");
    }
    #[test]
    fn matches_without_rows_are_not_held() {
        let (columns, ..) = together_and_apart();
        let mut file =
            ParquetWriter::new(Vec::new(), "t", &columns, properties().build(), 8).unwrap();
        for rows in [0, 0, 0, 0, 1, 1, 1, 1] {
            // Three matches, of which one has a row at most.
            let (_, mut few, _) = together_and_apart();
            few.rows = rows;
            few.spans = vec![0, rows, 0];
            let mut own = RowBatch::of(&columns[3..]);
            for _ in 0..rows {
                own.cell(Cell::Int(1));
                own.cell(Cell::None);
                own.end_row();
            }
            few.columns.truncate(3);
            few.columns.append(&mut own.columns);
            file.write(few).unwrap();
            assert!(file.held.spans.len() < 8);
        }
        assert_eq!(file.finish().unwrap().1, 4);
    }
}
