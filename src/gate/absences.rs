//! Whether a 404 says something of the document, or of the route. Pure: time comes in.
//!
//! Riot has answered 404 for all matches of a route for a day. One 404 among good answers is knowledge; several in a
//! row without a document between are a doubt, and a document that was served before tells: if that is 404 too,
//! the route is broken, and nothing is learnt of what it was asked for.

use std::time::Duration;

/// Documents that were not found one after the other, after which it is doubted that the route works.
const IN_A_ROW: u32 = 5;
/// How long the word of a document that was served before holds.
const TRUSTED_FOR: Duration = Duration::from_mins(10);

/// What a 404 is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// The document is not there.
    Known,
    /// The route answers 404 for what it served before.
    Outage,
    /// A document that was served before has to tell.
    Doubtful,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Works,
    /// A document that was served before was served again: until then no doubt.
    Confirmed(Duration),
    Outage(Duration),
}

/// The documents of one route that were not found. See the module.
#[derive(Debug, Default)]
pub struct Absences {
    in_a_row: u32,
    standing: Standing,
}

impl Absences {
    /// A document was served.
    pub fn served(&mut self) {
        *self = Self::default();
    }

    /// A document was not found.
    pub fn absent(&mut self, now: Duration) -> Absence {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.judge(now)
    }

    /// What a 404 would be taken for now.
    pub fn judge(&self, now: Duration) -> Absence {
        match self.standing {
            Standing::Outage(until) if now < until => Absence::Outage,
            Standing::Confirmed(until) if now < until => Absence::Known,
            _ if self.in_a_row < IN_A_ROW => Absence::Known,
            _ => Absence::Doubtful,
        }
    }

    /// A document that was served before was asked for. True: this is news, and the route answers 404 for it.
    pub fn witnessed(&mut self, served: bool, now: Duration) -> bool {
        let was_outage = matches!(self.standing, Standing::Outage(_));
        self.in_a_row = if served { 0 } else { IN_A_ROW };
        self.standing = if served {
            Standing::Confirmed(now + TRUSTED_FOR)
        } else {
            Standing::Outage(now + TRUSTED_FOR)
        };
        !served && !was_outage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Five documents were not found, at 100 s.
    fn doubted() -> Absences {
        let mut absences = Absences::default();
        for _ in 1..IN_A_ROW {
            assert_eq!(absences.absent(secs(100)), Absence::Known);
        }
        assert_eq!(absences.absent(secs(100)), Absence::Doubtful);
        absences
    }

    #[test]
    fn single_documents_that_are_not_there_are_no_outage_however_many() {
        let mut absences = Absences::default();
        for n in 0..100 {
            assert_eq!(absences.absent(secs(n)), Absence::Known);
            if n % 4 == 0 {
                absences.served();
            }
        }
    }

    #[test]
    fn a_document_that_was_served_before_tells_and_its_word_holds_for_a_while() {
        let mut absences = doubted();
        assert!(!absences.witnessed(true, secs(100)));
        for n in 0..50 {
            assert_eq!(absences.absent(secs(101 + n)), Absence::Known);
        }
        assert_eq!(absences.absent(secs(701)), Absence::Doubtful);
    }

    #[test]
    fn an_outage_is_told_once_and_ends_with_the_first_document() {
        let mut absences = doubted();
        assert!(absences.witnessed(false, secs(100)));
        assert_eq!(absences.judge(secs(699)), Absence::Outage);
        assert_eq!(absences.absent(secs(700)), Absence::Doubtful, "asked again");
        assert!(!absences.witnessed(false, secs(700)), "it is known already");
        assert_eq!(absences.judge(secs(701)), Absence::Outage);
        absences.served();
        assert_eq!(absences.absent(secs(702)), Absence::Known);
    }
}
