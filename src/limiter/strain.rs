//! Is a service loaded, or does it refuse a call now and then? Pure.
//!
//! Those behind the API refuse calls that are within all limits: 429s of the service, and those that name no type.
//! One of fifty says nothing of the other forty-nine: that call waits as long as it was told, and one of the others
//! finds out how it stands. Where about one in ten is refused, or none was served yet, all of them wait.

/// A refusal is made up for by so many served calls.
const WEIGHT: u32 = 10;
/// More than two that are not yet made up for are no chance.
const LIGHT: u32 = 2 * WEIGHT;

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Strain(u32);

/// The model that tries every order of steps has no refusals of a service: states that differ in this are one.
#[cfg(test)]
impl std::hash::Hash for Strain {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl Default for Strain {
    /// Who has served nothing yet has nothing to its credit.
    fn default() -> Self {
        Self(LIGHT)
    }
}

impl Strain {
    pub(super) fn served(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    /// Whether all calls have to wait.
    pub(super) fn refused(&mut self) -> bool {
        // One that was down for an hour is not judged by that for long.
        self.0 = (self.0 + WEIGHT).min(LIGHT + WEIGHT);
        self.0 > LIGHT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a thousand calls make all others wait, where one in so many is refused, after twenty that were
    /// served.
    fn all_wait(one_in: usize) -> usize {
        let mut strain = Strain::default();
        (0..20).for_each(|_| strain.served());
        let refused = (1..=1_000).filter(|call| {
            let is_refused = call % one_in == 0;
            if !is_refused {
                strain.served();
            }
            is_refused && strain.refused()
        });
        refused.count()
    }

    #[test]
    fn one_in_fifty_stops_nobody_and_one_in_five_everybody() {
        assert_eq!((all_wait(50), all_wait(12)), (0, 0));
        assert!(all_wait(5) > 190, "{}", all_wait(5));
    }

    #[test]
    fn a_service_that_served_nothing_yet_or_refuses_all_stops_everybody() {
        assert!(Strain::default().refused());
        let mut strain = Strain::default();
        (0..1_000).for_each(|_| strain.served());
        let told = [strain.refused(), strain.refused(), strain.refused()];
        assert_eq!(told, [false, false, true]);
    }
}
