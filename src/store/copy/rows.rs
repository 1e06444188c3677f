//! Rows on their way: JSON arrays, with numbers as numbers, the same whichever database they come from.

use serde_json::Value;

use crate::store::{StoreError, StoreResult};

/// A row's values in the order of its plan. Bytes are hexadecimal text, and so that no digit is lost, floating-point
/// numbers are the shortest text that reads as the same number.
pub(super) type Row = Vec<Value>;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    /// 0 or 1 on the way; SQLite keeps it as an integer.
    Boolean,
    Float,
    Text,
    Bytes,
}

impl Kind {
    pub(super) fn agrees(self, other: Self) -> bool {
        let plain = |kind| match kind {
            Self::Boolean => Self::Integer,
            kind => kind,
        };
        plain(self) == plain(other)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// Reads a row as a database told it.
pub(super) fn read(columns: &[Column], text: &str) -> StoreResult<Row> {
    let wrong = |cause: String| StoreError::Unexpected(format!("a row to copy: {cause}"));
    let mut row: Row = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if row.len() != columns.len() {
        return Err(wrong(format!("{} values", row.len())));
    }
    for (value, column) in row.iter_mut().zip(columns) {
        if let (Kind::Float, Value::String(digits)) = (column.kind, &*value) {
            let number: f64 = digits
                .trim()
                .parse()
                .map_err(|_| wrong(format!("'{digits}' in {}", column.name)))?;
            *value = Value::String(format!("{number:?}"));
        }
    }
    Ok(row)
}

/// What a row holds, in bytes; a number is 8.
pub(super) fn bytes(columns: &[Column], row: &Row) -> u64 {
    let size = |(column, value): (&Column, &Value)| match value {
        Value::String(text) if column.kind == Kind::Bytes => text.len() / 2,
        Value::String(text) if column.kind == Kind::Text => text.len(),
        Value::Null => 0,
        _ => 8,
    };
    columns.iter().zip(row).map(size).sum::<usize>() as u64
}

/// The bytes of a value of [`Kind::Bytes`].
pub(super) fn unhex(text: &str) -> StoreResult<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    bytes.ok_or_else(|| StoreError::Unexpected("bytes that are not hexadecimal".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(kinds: &[Kind]) -> Vec<Column> {
        let column = |kind: &Kind| Column {
            name: format!("{kind:?}"),
            kind: *kind,
        };
        kinds.iter().map(column).collect()
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_text_as_text() {
        let columns = columns(&[Kind::Float, Kind::Text, Kind::Integer]);
        let one = read(
            &columns,
            r#"["0.50000000000000000000", "é", 9007199254740993]"#,
        )
        .unwrap();
        let same = read(&columns, r#"["0.5","\u00e9",9007199254740993]"#).unwrap();
        assert_eq!(one, same);
        for other in [
            r#"["0.5000000000000001","é",9007199254740993]"#,
            r#"["0.5","e",9007199254740993]"#,
            r#"["0.5","é",9007199254740992]"#,
            r#"[null,"é",9007199254740993]"#,
        ] {
            assert_ne!(one, read(&columns, other).unwrap());
        }
        assert!(read(&columns, r#"["0.5","é"]"#).is_err());
    }

    #[test]
    fn a_row_has_the_bytes_of_what_it_holds() {
        let columns = columns(&[Kind::Bytes, Kind::Text, Kind::Integer, Kind::Float]);
        let row = read(&columns, r#"["00ff","abc",7,null]"#).unwrap();
        assert_eq!(bytes(&columns, &row), 2 + 3 + 8);
        assert_eq!(unhex("00fF").unwrap(), [0, 255]);
        assert!(unhex("0g").is_err() && unhex("012").is_err());
    }
}
