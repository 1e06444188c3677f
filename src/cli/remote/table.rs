//! Answers as tables.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// A table with a line for each row. Columns of numbers are set to the right, as numbers are compared.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let is_number = |cell: &String| cell == "-" || cell.parse::<f64>().is_ok();
    for (at, column) in table.column_iter_mut().enumerate() {
        let mut cells = rows.iter().filter_map(|row| row.get(at));
        let is_told = rows
            .iter()
            .filter_map(|row| row.get(at))
            .any(|cell| cell != "-");
        if is_told && cells.all(is_number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.add_rows(rows);
    table.to_string()
}
