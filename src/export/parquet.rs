//! Parquet: one row group after the other, each column packed with snappy, which every reader knows.

use std::io::{self, BufWriter};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::file::Output;
use super::{Sink, What};
use crate::model::table::{Cell, Column, Kind, Rows};

/// Rows of a group: they are in memory until it is written.
const GROUP: usize = 10_000;

pub(super) struct ParquetSink {
    writer: SerializedFileWriter<BufWriter<Output>>,
    columns: Vec<Buffer>,
    /// The column that is next.
    next: usize,
    rows: usize,
}

/// The values of a column that wait for their group to be full.
struct Buffer {
    values: Values,
    /// For each row whether it has one; empty where all have.
    present: Vec<i16>,
    optional: bool,
}

enum Values {
    Int(Vec<i32>),
    Long(Vec<i64>),
    Double(Vec<f64>),
    Bool(Vec<bool>),
    Text(Vec<ByteArray>),
}

pub(super) fn schema(name: &str, columns: &[Column]) -> Result<TypePtr, ParquetError> {
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

impl ParquetSink {
    pub(super) fn new(file: Output, what: What, columns: &'static [Column]) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("riftsync ", env!("CARGO_PKG_VERSION")).to_owned());
        let writer = SerializedFileWriter::new(
            BufWriter::with_capacity(1 << 16, file),
            schema(what.as_str(), columns)?,
            Arc::new(properties.build()),
        )?;
        Ok(Self {
            writer,
            columns: columns.iter().map(Buffer::of).collect(),
            next: 0,
            rows: 0,
        })
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Buffer {
    fn of(column: &Column) -> Self {
        let values = match column.kind {
            Kind::Int => Values::Int(Vec::new()),
            Kind::Long | Kind::Time => Values::Long(Vec::new()),
            Kind::Double => Values::Double(Vec::new()),
            Kind::Bool => Values::Bool(Vec::new()),
            Kind::Text => Values::Text(Vec::new()),
        };
        Self {
            values,
            present: Vec::new(),
            optional: column.optional,
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        if self.optional {
            self.present.push(i16::from(cell != Cell::None));
        }
        match (&mut self.values, cell) {
            (_, Cell::None) => assert!(self.optional, "a column that is always there has nothing"),
            (Values::Int(values), Cell::Int(value)) => {
                values.push(i32::try_from(value).expect("made of 32 bits"));
            }
            (Values::Long(values), Cell::Int(value)) => values.push(value),
            (Values::Double(values), Cell::Double(value)) => values.push(value),
            (Values::Bool(values), Cell::Bool(value)) => values.push(value),
            (Values::Text(values), Cell::Text(value)) => {
                // Ids and modes repeat from row to row: the same bytes serve them.
                let same = values.last().filter(|last| last.data() == value.as_bytes());
                values.push(same.cloned().unwrap_or_else(|| value.into()));
            }
            (_, cell) => panic!("{cell:?} does not fit its column"),
        }
    }

    fn write<W: io::Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let present = self.optional.then_some(&self.present[..]);
        match &mut self.values {
            Values::Int(values) => write_column::<Int32Type, W>(group, values, present)?,
            Values::Long(values) => write_column::<Int64Type, W>(group, values, present)?,
            Values::Double(values) => write_column::<DoubleType, W>(group, values, present)?,
            Values::Bool(values) => write_column::<BoolType, W>(group, values, present)?,
            Values::Text(values) => write_column::<ByteArrayType, W>(group, values, present)?,
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

impl Rows for ParquetSink {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        self.columns[self.next].push(cell);
        self.next += 1;
        Ok(())
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.next = 0;
        self.rows += 1;
        if self.rows == GROUP {
            self.write_group()?;
        }
        Ok(())
    }
}

impl Sink for ParquetSink {
    fn finish(mut self: Box<Self>) -> io::Result<Output> {
        if self.rows > 0 {
            self.write_group()?;
        }
        let buffered = self.writer.into_inner()?;
        buffered
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }
}
