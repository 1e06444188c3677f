//! Chance that is the same for ever: a world must not change because a random-number library did.
//!
//! `hash` is random access (the value of a thing is asked for by its name), `Draw` is a sequence for
//! the many small choices inside one thing. Both are `SplitMix64` (Steele, Lea, Flood 2014). Only
//! integer operations and IEEE-exact float operations are used, so every machine sees one world.

/// The `SplitMix64` finaliser: every input bit reaches every output bit.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// One number out of many. The order of the parts matters.
pub fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(0x51_7C_C1_B7_27_22_0A_95, |state, part| {
        mix(state.wrapping_add(GOLDEN) ^ mix(part.wrapping_add(GOLDEN)))
    })
}

/// One number out of a text.
pub fn hash_text(seed: u64, text: &str) -> u64 {
    text.bytes().fold(mix(seed), |state, byte| {
        mix(state.wrapping_add(GOLDEN) ^ u64::from(byte))
    })
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A sequence of choices that begins at a hash.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number from 0 up to, not including, `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "there is nothing to choose from");
        // The high half of a 32x32 product: the bias is below 2^-32 * bound, far under what anyone sees.
        let product = (self.bits() >> 32) * u64::from(bound);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        assert!(low <= high, "the range {low}..={high} is empty");
        low + i64::from(self.below(u32::try_from(high - low + 1).unwrap_or(u32::MAX)))
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// A number from 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(u32::try_from(from.len()).unwrap_or(u32::MAX)) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_first_release() {
        let mut draw = Draw::new(1_234_567);
        // The published reference sequence of SplitMix64 for this seed.
        assert_eq!(draw.bits(), 6_457_827_717_110_365_317);
        assert_eq!(draw.bits(), 3_203_168_211_198_807_973);
        assert_ne!(hash(&[1, 2]), hash(&[2, 1]));
    }

    #[test]
    fn draws_stay_in_their_range_and_reach_both_ends() {
        let mut draw = Draw::new(7);
        let seen: Vec<i64> = (0..1000).map(|_| draw.between(-2, 3)).collect();
        assert_eq!(seen.iter().min(), Some(&-2));
        assert_eq!(seen.iter().max(), Some(&3));
        assert!(
            (0..1000)
                .map(|_| draw.unit())
                .all(|u| (0.0..1.0).contains(&u))
        );
    }
}
