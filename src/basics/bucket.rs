//! A token bucket that holds one period's worth: so many in so long, all at once if none went before.

use std::fmt;
use std::time::Duration;

/// So many in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub period: Duration,
}

impl Rate {
    /// `30/m`: a count, and `s`, `m`, `h` or `d`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no rate. Write it as 30/m: a count, then s, m, h or d");
        let (count, period) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.trim().parse().ok().filter(|&n: &u32| n > 0);
        let period = match period.trim() {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            "d" => Duration::from_hours(24),
            _ => return Err(wrong()),
        };
        Ok(Self {
            count: count.ok_or_else(wrong)?,
            period,
        })
    }
}

impl fmt::Display for Rate {
    /// As `parse` reads it; a period of no name in seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.period.as_secs() {
            1 => "s",
            60 => "m",
            3_600 => "h",
            86_400 => "d",
            seconds => return write!(f, "{}/{seconds}s", self.count),
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// Times are durations since any fixed moment.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: Rate,
    /// When the bucket is full again. That is the whole state: each token taken puts it off by one
    /// token's time (the "generic cell rate algorithm" of ATM networks, ITU-T I.371).
    full_at: Duration,
}

impl Bucket {
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_at: Duration::ZERO,
        }
    }

    /// Takes a token now, or tells when there is one.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.take_from(now, self.rate.period)
    }

    /// The same on credit: one more period's worth, which those pay back who take no credit.
    pub fn borrow(&mut self, now: Duration) -> Result<(), Duration> {
        self.take_from(now, self.rate.period * 2)
    }

    fn take_from(&mut self, now: Duration, depth: Duration) -> Result<(), Duration> {
        let token = self.rate.period / self.rate.count;
        let full_at = self.full_at.max(now) + token;
        let empty_for = full_at.saturating_sub(depth);
        if empty_for > now {
            return Err(empty_for);
        }
        self.full_at = full_at;
        Ok(())
    }
}

impl Bucket {
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// The last token taken was not used.
    pub fn give_back(&mut self) {
        let token = self.rate.period / self.rate.count;
        self.full_at = self.full_at.saturating_sub(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_full_bucket_gives_a_period_at_once_and_then_one_by_one() {
        let mut bucket = Bucket::new(Rate::parse("6/m").unwrap());
        for _ in 0..6 {
            assert_eq!(bucket.take(secs(100)), Ok(()));
        }
        assert_eq!(bucket.take(secs(100)), Err(secs(110)));
        assert_eq!(bucket.take(secs(110)), Ok(()));
        assert_eq!(bucket.take(secs(111)), Err(secs(120)));
    }

    #[test]
    fn a_period_is_lent_to_who_may_borrow_and_the_others_pay_it_back() {
        let mut bucket = Bucket::new(Rate::parse("6/m").unwrap());
        for _ in 0..12 {
            assert_eq!(bucket.borrow(secs(100)), Ok(()));
        }
        assert_eq!(bucket.borrow(secs(100)), Err(secs(110)));
        assert_eq!(bucket.take(secs(100)), Err(secs(170)));
        assert_eq!(bucket.borrow(secs(110)), Ok(()));
        assert_eq!(bucket.take(secs(180)), Ok(()));
    }

    #[test]
    fn a_rate_is_read_or_its_form_is_told() {
        let rate = Rate::parse("30/m").unwrap();
        assert_eq!((rate.count, rate.period), (30, secs(60)));
        for wrong in ["", "30", "0/m", "x/m", "3/y"] {
            assert!(Rate::parse(wrong).unwrap_err().contains("30/m"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_more_than_two_periods_worth_in_a_period_and_never_less_than_its_rate(
            count in 1_u32..50, gaps in prop::collection::vec(0_u64..5_000, 1..200),
        ) {
            let rate = Rate { count, period: secs(60) };
            let mut bucket = Bucket::new(rate);
            let (mut now, mut taken) = (secs(0), Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                match bucket.take(now) {
                    Ok(()) => taken.push(now),
                    Err(at) => prop_assert!(at > now && at <= now + rate.period / count),
                }
            }
            for &from in &taken {
                let within = taken.iter().filter(|&&at| at >= from && at < from + rate.period).count();
                prop_assert!(within <= 2 * count as usize);
            }
        }
    }
}
