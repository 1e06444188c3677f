//! A file of a lake: row groups of about 100,000 rows, zstd, statistics of every page, bloom filters on ids, and in its
//! metadata what it is.

use std::fs::File;
use std::io;

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::super::parquet::{ParquetWriter, properties as of_all};
use crate::store::lake::LakeTable;

/// Rows of a group: they are in memory until it is written.
const GROUP: usize = 100_000;
/// One look-up in a hundred that could have been spared is not.
const FALSE_POSITIVES: f64 = 0.01;

/// See the module.
pub(super) type LakeSink = ParquetWriter<File>;

fn properties(table: &LakeTable, about: &[(&str, String)]) -> WriterProperties {
    let about = about
        .iter()
        .map(|(name, value)| KeyValue::new(format!("riftsync.{name}"), value.clone()));
    let level = ZstdLevel::try_new(1).expect("zstd has this level");
    let mut builder = of_all()
        .set_compression(Compression::ZSTD(level))
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

pub(super) fn open(
    file: File,
    table: &LakeTable,
    about: &[(&str, String)],
) -> io::Result<LakeSink> {
    let properties = properties(table, about);
    ParquetWriter::new(file, table.name, &table.columns, properties, GROUP)
}
