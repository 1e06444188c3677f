//! When a schedule is due. Pure: its expression, its last tick and the time come in.
//!
//! Three kinds of expression: a cron expression in a time zone (`30 3 * * *`, with seconds if there are six
//! fields), an interval (`every 6h`, counted from when the schedule was made), a moment (`at
//! 2026-12-01T03:00`); and `off`, alone or before one of them, which is what it goes on with.
//!
//! Daylight saving, in cron expressions: what falls into an hour that is left out runs once right after it; what names
//! an hour that comes twice runs once, in the first; what runs every hour or minute goes on by real time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// The longest interval.
const EVERY_MAX: Duration = Duration::from_hours(24 * 366);
/// A tick that is found later than that was missed: nobody was there.
pub const MISSED_AFTER: Duration = Duration::from_mins(1);
/// A clock that was set back by so much, or by two turns of a schedule if they are less, is waited for; a tick that
/// lies further ahead was made by a wrong clock.
const AHEAD_MAX: Duration = Duration::from_hours(2);

/// What becomes of ticks at which no engine ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// Nothing.
    Skip,
    /// One run makes up for all of them.
    Once,
}

impl CatchUp {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
        }
    }
}

impl fmt::Display for CatchUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CatchUp {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "skip" => Ok(Self::Skip),
            "once" => Ok(Self::Once),
            other => Err(format!("catch_up is '{other}'; it must be skip or once")),
        }
    }
}

/// A schedule's expression, read.
#[derive(Debug, Clone)]
pub struct Cadence {
    rule: Rule,
    zone: TimeZone,
}

#[derive(Debug, Clone)]
enum Rule {
    Off,
    Cron(Box<Cron>),
    Every(Duration),
    At(Timestamp),
}

/// What a schedule does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Its next tick; none: there is none any more.
    Wait(Option<Timestamp>),
    /// It runs, for this tick.
    Run(Timestamp),
    /// The tick was missed and is not made up for.
    Pass(Timestamp),
    /// Its last tick is yet to come: the clock was wrong then. It goes on from now.
    Astray(Timestamp),
}

impl Cadence {
    /// Reads an expression, or says what is wrong with it. `zone`: an IANA name such as `Europe/Berlin`.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, String> {
        let zone = TimeZone::get(zone).map_err(|_| {
            format!("'{zone}' is no time zone. Write it as Europe/Berlin or Asia/Seoul, or UTC")
        })?;
        let text = expression.trim();
        let rest = text.strip_prefix("off ").map(str::trim);
        let is_off = rest.is_some() || text == "off";
        let text = rest.unwrap_or(text);
        let rule = if text == "off" {
            Rule::Off
        } else if let Some(interval) = text.strip_prefix("every ") {
            Rule::Every(read_interval(interval.trim())?)
        } else if let Some(moment) = text.strip_prefix("at ") {
            Rule::At(read_moment(moment.trim(), &zone)?)
        } else {
            let parser = CronParser::builder()
                .seconds(Seconds::Optional)
                .year(Year::Disallowed)
                .build();
            let cron = parser.parse(text).map_err(|error| {
                format!(
                    "'{text}' is no schedule: {error}. Write a cron expression (minute hour day month weekday, as \
                     '30 3 * * *'), 'every 6h', 'at 2026-12-01T03:00' or 'off'"
                )
            })?;
            Rule::Cron(Box::new(cron))
        };
        let rule = if is_off { Rule::Off } else { rule };
        Ok(Self { rule, zone })
    }

    pub fn is_off(&self) -> bool {
        matches!(self.rule, Rule::Off)
    }

    /// Unless told otherwise a missed moment of the day stays missed, and what is to be done every so often is done.
    pub fn usual_catch_up(&self) -> CatchUp {
        match self.rule {
            Rule::Cron(_) | Rule::Off => CatchUp::Skip,
            Rule::Every(_) | Rule::At(_) => CatchUp::Once,
        }
    }

    /// The first tick after a moment, of a schedule that was made at another.
    pub fn next_after(&self, after: Timestamp, made: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Off => None,
            Rule::At(at) => (*at > after).then_some(*at),
            Rule::Every(period) => {
                let period = millis(*period);
                let gone = after.as_millis().saturating_sub(made.as_millis());
                // Also backwards: what a wrong clock made in the future keeps its turn.
                let ticks = gone.div_euclid(period).saturating_add(1);
                let next = made
                    .as_millis()
                    .saturating_add(ticks.saturating_mul(period));
                Some(Timestamp::from_millis(next))
            }
            Rule::Cron(cron) => {
                let zoned = jiff::Timestamp::from_millisecond(after.as_millis()).ok()?;
                let zoned = zoned.to_zoned(self.zone.clone());
                let next = cron.find_next_occurrence(&zoned, false).ok()?;
                Some(Timestamp::from_millis(next.timestamp().as_millisecond()))
            }
        }
    }

    /// The last tick at or before a moment, which is not before `first`, a tick too.
    fn last_until(&self, now: Timestamp, first: Timestamp, made: Timestamp) -> Timestamp {
        let last = match &self.rule {
            Rule::Off | Rule::At(_) => None,
            Rule::Every(period) => {
                let gone = now.as_millis().saturating_sub(made.as_millis());
                let into = gone.rem_euclid(millis(*period));
                Some(Timestamp::from_millis(now.as_millis() - into))
            }
            Rule::Cron(cron) => jiff::Timestamp::from_millisecond(now.as_millis())
                .ok()
                .and_then(|now| {
                    let zoned = now.to_zoned(self.zone.clone());
                    cron.find_previous_occurrence(&zoned, true).ok()
                })
                .map(|last| Timestamp::from_millis(last.timestamp().as_millisecond())),
        };
        last.filter(|last| *last <= now)
            .map_or(first, |last| last.max(first))
    }

    /// What the schedule does now. `last`: the tick that was last dealt with; `made`: when it was made or changed.
    pub fn turn(
        &self,
        catch_up: CatchUp,
        last: Option<Timestamp>,
        made: Timestamp,
        now: Timestamp,
    ) -> Turn {
        // A clock that was set back must not run ticks again, nor wait for what lies behind them.
        let since = last.unwrap_or(made);
        if self.is_astray(since, made, now) {
            return Turn::Astray(since);
        }
        let Some(next) = self.next_after(since, made) else {
            return Turn::Wait(None);
        };
        if next > now {
            return Turn::Wait(Some(next));
        }
        let tick = self.last_until(now, next, made);
        let missed = now.since(tick) > MISSED_AFTER;
        match catch_up {
            CatchUp::Skip if missed => Turn::Pass(tick),
            CatchUp::Skip | CatchUp::Once => Turn::Run(tick),
        }
    }

    /// Whether what was dealt with last, or made, lies further ahead than a clock is set back by.
    fn is_astray(&self, since: Timestamp, made: Timestamp, now: Timestamp) -> bool {
        let turn = match self.rule {
            Rule::Off => return false,
            Rule::At(_) => AHEAD_MAX,
            Rule::Cron(_) | Rule::Every(_) => {
                let next = self.next_after(since, made);
                next.map_or(AHEAD_MAX, |next| next.since(since))
            }
        };
        since.since(now) > (turn * 2).clamp(MISSED_AFTER, AHEAD_MAX)
    }

    /// The zone's IANA name.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis())
        .unwrap_or(i64::MAX)
        .max(1)
}

fn read_interval(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("'every {text}' is no interval. Write it as every 30m, every 6h or every 1d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number = text[..text.len() - unit.len_utf8()].trim();
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let interval = Duration::from_secs(number.saturating_mul(seconds));
    if interval.is_zero() || interval > EVERY_MAX {
        return Err(format!("'every {text}': an interval has 1 s to 366 d"));
    }
    Ok(interval)
}

/// A moment with an offset, or a local one in the zone.
fn read_moment(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_millis(moment.as_millisecond()));
    }
    let local = text.parse::<DateTime>().map_err(|_| {
        format!(
            "'at {text}' is no moment. Write it as at 2026-12-01T03:00, or at 2026-12-01T03:00:00Z"
        )
    })?;
    let zoned = local
        .to_zoned(zone.clone())
        .map_err(|error| format!("'at {text}': {error}"))?;
    Ok(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_millis(moment.as_millisecond())
    }

    /// All ticks after a moment, up to another.
    #[track_caller]
    fn ticks(expression: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
        let cadence = Cadence::parse(expression, zone).unwrap();
        let (mut now, made, to) = (at(from), at(from), at(to));
        let mut ticks = Vec::new();
        while let Some(next) = cadence.next_after(now, made).filter(|next| *next <= to) {
            assert!(next > now, "{next} does not come after {now}");
            // Whoever wakes at it finds it due, and this one.
            let turn = cadence.turn(CatchUp::Skip, Some(now), made, next);
            assert_eq!(turn, Turn::Run(next));
            ticks.push(next.to_string().replace(":00.000Z", "Z"));
            now = next;
        }
        ticks
    }

    #[test]
    fn cron_runs_by_the_clock_on_the_wall_of_its_zone() {
        let seoul = ticks(
            "30 3 * * *",
            "Asia/Seoul",
            "2026-01-01T00:00:00Z",
            "2026-01-03T00:00:00Z",
        );
        assert_eq!(seoul, ["2026-01-01T18:30Z", "2026-01-02T18:30Z"]);
        let seconds = ticks(
            "*/20 0 * * * *",
            "UTC",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:59Z",
        );
        assert_eq!(
            seconds,
            ["2026-01-01T00:00:20.000Z", "2026-01-01T00:00:40.000Z"]
        );
        let weekdays = ticks(
            "0 9 * * MON",
            "UTC",
            "2026-01-01T00:00:00Z",
            "2026-01-13T00:00:00Z",
        );
        assert_eq!(weekdays, ["2026-01-05T09:00Z", "2026-01-12T09:00Z"]);
    }

    /// Berlin, 2026-03-29: 02:00 becomes 03:00.
    #[test]
    fn what_falls_into_the_hour_that_is_left_out_runs_once_right_after_it() {
        let daily = ticks(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T00:00:00Z",
            "2026-03-31T00:00:00Z",
        );
        assert_eq!(
            daily,
            [
                "2026-03-28T01:30Z",
                "2026-03-29T01:00Z",
                "2026-03-30T00:30Z"
            ]
        );
        let hourly = ticks(
            "0 * * * *",
            "Europe/Berlin",
            "2026-03-28T23:30:00Z",
            "2026-03-29T03:00:00Z",
        );
        assert_eq!(
            hourly,
            [
                "2026-03-29T00:00Z",
                "2026-03-29T01:00Z",
                "2026-03-29T02:00Z",
                "2026-03-29T03:00Z"
            ]
        );
    }

    /// Berlin, 2026-10-25: 03:00 becomes 02:00.
    #[test]
    fn what_names_the_hour_that_comes_twice_runs_once_and_what_is_hourly_goes_on() {
        let daily = ticks(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T00:00:00Z",
            "2026-10-27T00:00:00Z",
        );
        assert_eq!(
            daily,
            [
                "2026-10-24T00:30Z",
                "2026-10-25T00:30Z",
                "2026-10-26T01:30Z"
            ]
        );
        let hourly = ticks(
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:00:00Z",
            "2026-10-25T03:00:00Z",
        );
        assert_eq!(
            hourly,
            [
                "2026-10-24T23:30Z",
                "2026-10-25T00:30Z",
                "2026-10-25T01:30Z",
                "2026-10-25T02:30Z"
            ]
        );
        // Half an hour, in Lord Howe.
        let half = ticks(
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-03T20:00:00Z",
            "2026-04-05T23:00:00Z",
        );
        assert_eq!(half, ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]);
    }

    #[test]
    fn intervals_count_from_when_the_schedule_was_made_and_know_no_daylight_saving() {
        let sixth = ticks(
            "every 6h",
            "Europe/Berlin",
            "2026-03-28T21:10:00Z",
            "2026-03-29T16:00:00Z",
        );
        assert_eq!(
            sixth,
            [
                "2026-03-29T03:10Z",
                "2026-03-29T09:10Z",
                "2026-03-29T15:10Z"
            ]
        );
    }

    #[test]
    fn a_moment_comes_once() {
        let moment = ticks(
            "at 2026-12-01T03:00",
            "Asia/Seoul",
            "2026-11-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
        assert_eq!(moment, ["2026-11-30T18:00Z"]);
        let cadence = Cadence::parse("at 2026-12-01T03:00:00Z", "Asia/Seoul").unwrap();
        let (made, moment) = (at("2026-11-01T00:00:00Z"), at("2026-12-01T03:00:00Z"));
        let late = at("2026-12-24T00:00:00Z");
        assert_eq!(cadence.usual_catch_up(), CatchUp::Once);
        assert_eq!(
            cadence.turn(CatchUp::Once, None, made, late),
            Turn::Run(moment)
        );
        assert_eq!(
            cadence.turn(CatchUp::Skip, None, made, late),
            Turn::Pass(moment)
        );
        assert_eq!(
            cadence.turn(CatchUp::Once, Some(moment), made, late),
            Turn::Wait(None)
        );
    }

    #[test]
    fn missed_ticks_are_skipped_or_made_up_for_by_one_run() {
        let daily = Cadence::parse("0 3 * * *", "UTC").unwrap();
        let (made, last) = (at("2026-01-01T00:00:00Z"), Some(at("2026-01-04T03:00:00Z")));
        let (now, tick) = (at("2026-01-09T12:00:00Z"), at("2026-01-09T03:00:00Z"));
        assert_eq!(daily.turn(CatchUp::Skip, last, made, now), Turn::Pass(tick));
        assert_eq!(daily.turn(CatchUp::Once, last, made, now), Turn::Run(tick));
        let next = at("2026-01-10T03:00:00Z");
        for policy in [CatchUp::Skip, CatchUp::Once] {
            assert_eq!(
                daily.turn(policy, Some(tick), made, now),
                Turn::Wait(Some(next))
            );
            assert_eq!(
                daily.turn(policy, Some(tick), made, next + MISSED_AFTER),
                Turn::Run(next),
                "a little late"
            );
        }
        let often = Cadence::parse("every 1s", "UTC").unwrap();
        assert_eq!(
            often.turn(CatchUp::Skip, last, made, now),
            Turn::Run(now),
            "years of seconds cost nothing"
        );
    }

    #[test]
    fn a_clock_that_is_set_back_runs_nothing_twice() {
        let hourly = Cadence::parse("0 * * * *", "UTC").unwrap();
        let (made, last) = (at("2026-01-01T00:00:00Z"), at("2026-01-04T03:00:00Z"));
        let turn = hourly.turn(CatchUp::Once, Some(last), made, at("2026-01-04T01:30:00Z"));
        assert_eq!(turn, Turn::Wait(Some(at("2026-01-04T04:00:00Z"))));
    }

    /// What a schedule does now that was dealt with last, or made, at some time, and when it is due once it is set
    /// right.
    #[track_caller]
    fn check_astray(expression: &str, last: Option<&str>, made: &str, next: Option<&str>) {
        let now = at("2026-11-27T12:00:00Z");
        let cadence = Cadence::parse(expression, "UTC").unwrap();
        let (last, made) = (last.map(at), at(made));
        for policy in [CatchUp::Skip, CatchUp::Once] {
            let turn = cadence.turn(policy, last, made, now);
            assert_eq!(turn, Turn::Astray(last.unwrap_or(made)), "{expression}");
            assert_eq!(
                cadence.turn(policy, Some(now), made, now),
                Turn::Wait(next.map(at)),
                "{expression}"
            );
        }
    }

    #[test]
    fn a_schedule_that_a_wrong_clock_moved_goes_on_from_now() {
        let made = "2026-01-01T00:10:00Z";
        let ahead = Some("2028-01-01T03:00:00Z");
        check_astray("0 3 * * *", ahead, made, Some("2026-11-28T03:00:00Z"));
        check_astray("every 6h", ahead, made, Some("2026-11-27T12:10:00Z"));
        check_astray("every 30d", ahead, made, Some("2026-12-27T00:10:00Z"));
        // By less than a turn, or by some turns of minutes.
        check_astray(
            "0 3 * * *",
            Some("2026-11-28T03:00:00Z"),
            made,
            Some("2026-11-28T03:00:00Z"),
        );
        check_astray(
            "* * * * *",
            Some("2026-11-27T12:09:00Z"),
            made,
            Some("2026-11-27T12:01:00Z"),
        );
        // It never ran, and was made under the wrong clock.
        let made = "2028-01-01T00:10:00Z";
        check_astray("0 3 * * *", None, made, Some("2026-11-28T03:00:00Z"));
        check_astray("every 6h", None, made, Some("2026-11-27T12:10:00Z"));
        check_astray(
            "every 6h",
            Some("2028-01-01T06:10:00Z"),
            made,
            Some("2026-11-27T12:10:00Z"),
        );
    }

    #[test]
    fn a_moment_that_a_wrong_clock_believed_to_be_there_comes_again() {
        let moment = "2027-03-01T00:00:00Z";
        let expression = format!("at {moment}");
        let made = "2026-01-01T00:00:00Z";
        check_astray(&expression, Some(moment), made, Some(moment));
        check_astray(&expression, None, "2028-01-01T00:00:00Z", Some(moment));
        // It is over.
        check_astray(
            "at 2026-11-01T00:00:00Z",
            None,
            "2028-01-01T00:00:00Z",
            None,
        );
    }

    #[test]
    fn a_clock_that_falls_behind_and_comes_back_costs_no_more_than_one_run() {
        let (made, last) = (at("2026-01-01T00:00:00Z"), at("2026-11-27T06:00:00Z"));
        let (behind, right) = (at("1970-01-01T00:00:20Z"), at("2026-11-27T07:00:00Z"));
        let sixth = Cadence::parse("every 6h", "UTC").unwrap();
        let turn = sixth.turn(CatchUp::Once, Some(last), made, behind);
        assert_eq!(turn, Turn::Astray(last));
        let turn = sixth.turn(CatchUp::Once, Some(behind), made, right);
        assert_eq!(turn, Turn::Run(last));
        let turn = sixth.turn(CatchUp::Once, Some(last), made, right);
        assert_eq!(turn, Turn::Wait(Some(at("2026-11-27T12:00:00Z"))));
    }

    #[test]
    fn what_is_off_has_no_time_to_be_wrong() {
        let off = Cadence::parse("off every 1h", "UTC").unwrap();
        let (made, now) = (at("2028-01-01T00:00:00Z"), at("2026-11-27T12:00:00Z"));
        assert_eq!(
            off.turn(CatchUp::Once, Some(made), made, now),
            Turn::Wait(None)
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_write() {
        for (expression, zone, named) in [
            ("99 * * * *", "UTC", "99 * * * *"),
            ("3pm", "UTC", "every 6h"),
            ("every 6 weeks", "UTC", "every 6h"),
            ("every 0s", "UTC", "1 s"),
            ("every 400d", "UTC", "366 d"),
            ("at noon", "UTC", "2026-12-01T03:00"),
            ("0 3 * * *", "Berlin", "Europe/Berlin"),
        ] {
            let why = Cadence::parse(expression, zone).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
        let off = Cadence::parse("off", "UTC").unwrap();
        assert_eq!(
            off.turn(
                CatchUp::Once,
                None,
                Timestamp::EPOCH,
                at("2026-01-01T00:00:00Z")
            ),
            Turn::Wait(None)
        );
        let never = Cadence::parse("0 0 30 2 *", "UTC").unwrap();
        assert_eq!(never.next_after(Timestamp::EPOCH, Timestamp::EPOCH), None);
    }
}
