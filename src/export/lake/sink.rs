//! A file of a lake: row groups of about 100,000 rows, zstd, statistics of every page, bloom filters on ids, and in its
//! metadata what it is.

use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnPath;

use super::super::parquet::schema;
use crate::store::lake::{Batch, Cells, LakeTable, Values};

/// Rows of a group: they are in memory until it is written.
const GROUP: usize = 100_000;
/// One look-up in a hundred that could have been spared is not.
const FALSE_POSITIVES: f64 = 0.01;

/// See the module.
pub(super) struct LakeSink {
    writer: SerializedFileWriter<BufWriter<File>>,
    columns: Vec<Held>,
    rows: usize,
    written: u64,
}

/// Cells of a column that wait for their group to be full.
struct Held {
    present: Vec<i16>,
    optional: bool,
    values: HeldValues,
}

enum HeldValues {
    Int(Vec<i32>),
    Long(Vec<i64>),
    Double(Vec<f64>),
    Bool(Vec<bool>),
    Text(Vec<ByteArray>),
}

fn properties(table: &LakeTable, about: &[(&str, String)]) -> WriterProperties {
    let about = about
        .iter()
        .map(|(name, value)| KeyValue::new(format!("riftsync.{name}"), value.clone()));
    let level = ZstdLevel::try_new(1).expect("zstd has this level");
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("riftsync ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(Some(about.collect()))
        // One who looks for an id asks the filter before the dictionary.
        .set_bloom_filter_for_dictionary_encoded_chunks(true)
        .set_max_row_group_row_count(Some(GROUP));
    for id in table.ids() {
        let path = ColumnPath::from(id.name());
        builder = builder
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path, FALSE_POSITIVES);
    }
    builder.build()
}

impl LakeSink {
    pub(super) fn new(file: File, table: &LakeTable, about: &[(&str, String)]) -> io::Result<Self> {
        let writer = SerializedFileWriter::new(
            BufWriter::with_capacity(1 << 17, file),
            schema(table.name, &table.columns)?,
            Arc::new(properties(table, about)),
        )?;
        let batch = Batch::of(table);
        let held = |(cells, column): (Cells, &crate::model::table::Column)| Held {
            present: Vec::new(),
            optional: column.optional,
            values: match cells.values {
                Values::Int(_) => HeldValues::Int(Vec::new()),
                Values::Long(_) => HeldValues::Long(Vec::new()),
                Values::Double(_) => HeldValues::Double(Vec::new()),
                Values::Bool(_) => HeldValues::Bool(Vec::new()),
                Values::Text(..) => HeldValues::Text(Vec::new()),
            },
        };
        Ok(Self {
            writer,
            columns: batch
                .columns
                .into_iter()
                .zip(&table.columns)
                .map(held)
                .collect(),
            rows: 0,
            written: 0,
        })
    }

    pub(super) fn write(&mut self, batch: Batch) -> io::Result<()> {
        self.rows += batch.rows;
        for (held, cells) in self.columns.iter_mut().zip(batch.columns) {
            held.take(cells);
        }
        if self.rows >= GROUP {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        self.written += self.rows as u64;
        self.rows = 0;
        Ok(())
    }

    /// What is written; rows that wait for their group are not.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Completes the file; with its rows.
    pub(super) fn finish(mut self) -> io::Result<(File, u64)> {
        if self.rows > 0 {
            self.write_group()?;
        }
        let buffered = self.writer.into_inner()?;
        let file = buffered
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok((file, self.written))
    }
}

impl Held {
    fn take(&mut self, mut cells: Cells) {
        self.present.append(&mut cells.present);
        match (&mut self.values, cells.values) {
            (HeldValues::Int(held), Values::Int(mut values)) => held.append(&mut values),
            (HeldValues::Long(held), Values::Long(mut values)) => held.append(&mut values),
            (HeldValues::Double(held), Values::Double(mut values)) => held.append(&mut values),
            (HeldValues::Bool(held), Values::Bool(mut values)) => held.append(&mut values),
            (HeldValues::Text(held), Values::Text(bytes, ends)) => {
                // All of them lie in one piece.
                let bytes = Bytes::from(bytes);
                let mut begin = 0;
                held.extend(ends.into_iter().map(|end| {
                    let one = bytes.slice(begin..end);
                    begin = end;
                    ByteArray::from(one)
                }));
            }
            _ => unreachable!("both are of one table"),
        }
    }

    fn write<W: io::Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let present = self.optional.then_some(&self.present[..]);
        match &mut self.values {
            HeldValues::Int(values) => write_column::<Int32Type, W>(group, values, present)?,
            HeldValues::Long(values) => write_column::<Int64Type, W>(group, values, present)?,
            HeldValues::Double(values) => write_column::<DoubleType, W>(group, values, present)?,
            HeldValues::Bool(values) => write_column::<BoolType, W>(group, values, present)?,
            HeldValues::Text(values) => write_column::<ByteArrayType, W>(group, values, present)?,
        }
        self.present.clear();
        Ok(())
    }
}

fn write_column<T: DataType, W: io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &mut Vec<T::T>,
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("a writer for every column");
    column.typed::<T>().write_batch(values, present, None)?;
    values.clear();
    column.close()
}
