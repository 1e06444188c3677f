//! The marks that commits leave, so that one whose answer was lost can be asked for. See the writer.

use std::ops::Range;

use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::fault::Fault;
use super::job_statements as sql;
use riftsync_basics::Timestamp;

/// Marks that a writer lets stand before it takes them away.
const STANDING_MAX: i64 = 256;

/// The marks of one writer.
#[derive(Debug)]
pub(super) struct CommitMarks {
    /// From the first that still stands to the next that is free.
    standing: Range<i64>,
}

impl CommitMarks {
    pub(super) fn new() -> Self {
        // A place of its own among 2^63.
        let first = fastrand::i64(0..i64::MAX - (1 << 32));
        Self {
            standing: first..first,
        }
    }

    /// The mark of the next commit.
    pub(super) fn next(&self) -> i64 {
        self.standing.end
    }

    pub(super) fn used(&mut self) {
        self.standing.end += 1;
    }

    /// Marks that nobody will ask for any more, once there are enough to be worth a statement.
    pub(super) fn old(&self) -> Option<Range<i64>> {
        let many = self.standing.end - self.standing.start > STANDING_MAX;
        many.then(|| self.standing.clone())
    }

    pub(super) fn all(&self) -> Option<Range<i64>> {
        (!self.standing.is_empty()).then(|| self.standing.clone())
    }

    pub(super) fn taken_away(&mut self, old: &Range<i64>) {
        self.standing.start = old.end;
    }
}

/// What ends a transaction that wrote. One message: the mark is in the transaction, or there is no commit.
pub(super) fn commit(mark: i64) -> String {
    let at = Timestamp::now().as_millis();
    format!("INSERT INTO store_commits (id, made, at) VALUES ({mark}, TRUE, {at}); COMMIT")
}

pub(super) async fn take_away(
    mut conn: &AsyncPgConnection,
    marks: Range<i64>,
) -> Result<(), Fault> {
    let drop = sql::DropMarks {
        first: marks.start,
        end: marks.end,
    };
    drop.execute(&mut conn).await?;
    Ok(())
}

/// Whether the commit of the mark was made. If it was not, it never will be.
pub(super) async fn ask(mut conn: &AsyncPgConnection, mark: i64) -> Result<bool, Fault> {
    sql::Forestall {
        id: mark,
        at: Timestamp::now().as_millis(),
    }
    .execute(&mut conn)
    .await?;
    Ok(sql::WasMade { id: mark }.get_result(&mut conn).await?)
}
