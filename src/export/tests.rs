use super::*;
use crate::model::table::{Cell, Cells};
use crate::model::table_columns;

/// Four rows of three matches, one of which has none: what those of a match have in common told once, and in each.
pub(super) fn together_and_apart() -> (Vec<Column>, RowBatch, RowBatch) {
    let columns = table_columns![match_id Text, patch Text "?", at Time, number Int, name Text "?"];
    let matches = [
        ("KR_1", None, 1_700_000_000_000),
        ("KR_2", Some("16.3"), 0),
        ("KR_3", Some("16.4"), 7),
    ];
    let rows = [
        (0, 1, Some("a,b")),
        (0, 2, None),
        (2, 1, Some("=1")),
        (2, 2, Some("")),
    ];
    let text = |text: Option<&'static str>| text.map_or(Cell::None, Cell::Text);
    let of_match = |(id, patch, at)| [Cell::Text(id), text(patch), Cell::Int(at)];
    let mut apart = RowBatch::of(&columns);
    for (of, number, name) in rows {
        for cell in of_match(matches[of])
            .into_iter()
            .chain([Cell::Int(number), text(name)])
        {
            apart.cell(cell);
        }
        apart.end_row();
    }
    let mut together = RowBatch::sharing(&columns, 3);
    together.spans = vec![2, 0, 2];
    together.rows = rows.len();
    let push = |cells: &mut [Cells], values: &[Cell<'_>]| {
        cells
            .iter_mut()
            .zip(values)
            .for_each(|(cells, cell)| cells.push(*cell));
    };
    for one in matches {
        push(&mut together.columns[..3], &of_match(one));
    }
    for (_, number, name) in rows {
        push(&mut together.columns[3..], &[Cell::Int(number), text(name)]);
    }
    (columns, together, apart)
}
