//! How far a verb is, in a few lines of a terminal. Pure: the width of the terminal and the moment come in.

use std::time::Duration;

use console::{measure_text_width, truncate_str};

/// Below that, the time left is not told: a guess of seconds helps nobody.
const WORTH_TELLING: Duration = Duration::from_secs(5);
const BAR_MAX: usize = 40;
const BAR_MIN: usize = 4;
const SPINNER: [char; 4] = ['|', '/', '-', '\\'];

/// How far one thing is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Meter {
    pub name: &'static str,
    pub done: u64,
    /// The whole work; none: nobody knows it yet.
    pub whole: Option<u64>,
}

/// What a verb does. Times are of one clock that the caller chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scene {
    pub title: String,
    /// What it does now, the most important first.
    pub status: Vec<String>,
    pub meters: Vec<Meter>,
    pub begun: Duration,
    /// When it will be done, as far as is known.
    pub ends: Option<Duration>,
    /// Where there is no terminal, how far it is is told now and then also while it goes on.
    pub is_long: bool,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// A stable word: what is told anew is told sooner.
    pub word: String,
    pub text: String,
    pub since: Duration,
    /// When the wait is over, if that is known.
    pub until: Option<Duration>,
}

impl Told {
    /// The reason, and for how long.
    pub fn line(&self, now: Duration) -> String {
        // Less than a second is as good as over, and so is a time that has passed.
        let left = self.until.map(|until| until.saturating_sub(now));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return format!("waits: {}, {}", self.text, rounded(up(left)));
        }
        let so_far = Duration::from_secs(now.saturating_sub(self.since).as_secs());
        format!("waits: {}, for {} so far", self.text, rounded(so_far))
    }
}

/// A time as people say it.
pub fn rounded(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match time.as_secs() {
        seconds @ 0..90 => format!("{seconds} s"),
        90..7_200 => format!("{minutes} min"),
        _ => format!("{:.1} h", time.as_secs_f64() / 3_600.0),
    }
}

/// Whole seconds, rounded up.
fn up(time: Duration) -> Duration {
    Duration::from_secs(u64::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX))
}

impl Meter {
    fn count(&self) -> String {
        match self.whole {
            Some(whole) => format!("{}/{whole}", self.done),
            None => format!("{}/?", self.done),
        }
    }
}

impl Scene {
    /// The counts alone, for a line of a log.
    pub fn counts(&self) -> String {
        let counted = self
            .meters
            .iter()
            .map(|meter| format!("{} {}", meter.name, meter.count()));
        counted.collect::<Vec<_>>().join(", ")
    }

    /// How long it still takes, if that is known and worth telling.
    pub fn left(&self, now: Duration) -> Option<String> {
        let left = up(self.ends?.saturating_sub(now));
        (left >= WORTH_TELLING).then(|| format!("about {} left", rounded(left)))
    }
}

/// The lines that a terminal shows, none wider than it.
pub fn lines(
    scene: Option<&Scene>,
    told: Option<&Told>,
    now: Duration,
    columns: usize,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(scene) = scene {
        lines.push(head(scene, now, columns));
        let meters = scene.meters.iter();
        lines.extend(meters.map(|meter| bar(meter, columns)));
    }
    if let Some(told) = told {
        lines.push(short(&format!("  {}", told.line(now)), columns));
    }
    lines
}

/// The title and what of the rest has room: what it does, the time left, the time it took.
fn head(scene: &Scene, now: Duration, columns: usize) -> String {
    let passed = now.saturating_sub(scene.begun);
    let turn = usize::try_from(passed.as_millis() / 200).unwrap_or(0) % SPINNER.len();
    let mut line = format!("{} {}", SPINNER[turn], scene.title);
    let left = scene.left(now);
    let took = format!("{} s", passed.as_secs());
    let mut status = scene.status.iter().cloned();
    let parts = status
        .next()
        .into_iter()
        .chain(left)
        .chain([took])
        .chain(status);
    let mut between = "  ";
    for part in parts {
        let longer = format!("{line}{between}{part}");
        if measure_text_width(&longer) >= columns {
            break;
        }
        line = longer;
        between = ", ";
    }
    short(&line, columns)
}

fn bar(meter: &Meter, columns: usize) -> String {
    let (name, count) = (meter.name, meter.count());
    // A line that is full to the last column wraps on some terminals.
    let room = columns.saturating_sub(16 + count.len() + 1);
    let width = room.min(BAR_MAX);
    if width < BAR_MIN {
        return short(&format!("  {name} {count}"), columns);
    }
    let filled = match meter.whole {
        // Nothing to do is not done, and what nobody knows is neither.
        None | Some(0) => 0,
        // Full is only what is done.
        Some(whole) if meter.done < whole => {
            let share = meter.done as f64 / whole as f64;
            ((0..=width).rfind(|n| *n as f64 <= share * width as f64))
                .unwrap_or(0)
                .min(width - 1)
        }
        Some(_) => width,
    };
    let head = if (1..width).contains(&filled) {
        ">"
    } else {
        ""
    };
    let body = "=".repeat(filled.saturating_sub(head.len()));
    let rest = " ".repeat(width - filled);
    format!("  {name:10} [{body}{head}{rest}] {count}")
}

/// No wider than the terminal: one column less, so that it wraps nowhere.
fn short(line: &str, columns: usize) -> String {
    truncate_str(line, columns.saturating_sub(1).max(1), "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn scene(title: &str) -> Scene {
        Scene {
            title: title.to_owned(),
            status: vec!["processing matches".to_owned(), "500 calls".to_owned()],
            meters: vec![
                Meter {
                    name: "matches",
                    done: 4,
                    whole: Some(64),
                },
                Meter {
                    name: "timelines",
                    done: 0,
                    whole: None,
                },
            ],
            begun: secs(100),
            ends: Some(secs(320)),
            is_long: false,
        }
    }

    fn told() -> Told {
        Told {
            word: "budget".to_owned(),
            text: "the key's budget is used up".to_owned(),
            since: secs(110),
            until: Some(secs(121)),
        }
    }

    #[test]
    fn a_sync_at_eighty_columns() {
        let lines = lines(
            Some(&scene("Faker#KR1 on kr, 2025")),
            Some(&told()),
            secs(112),
            80,
        );
        assert_eq!(
            lines,
            [
                "| Faker#KR1 on kr, 2025  processing matches, about 4 min left, 12 s, 500 calls",
                "  matches    [=>                                      ] 4/64",
                "  timelines  [                                        ] 0/?",
                "  waits: the key's budget is used up, 9 s",
            ]
        );
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_whatever_the_name() {
        let names = [
            "Faker#KR1",
            "이름이아주긴소환사이름입니다만#KR123",
            "x".repeat(90).as_str(),
        ]
        .map(str::to_owned);
        for columns in 1..=120 {
            for name in &names {
                let scene = scene(&format!("{name} on kr, 2025"));
                for line in lines(Some(&scene), Some(&told()), secs(112), columns) {
                    assert!(
                        measure_text_width(&line) < columns.max(2),
                        "{columns}: {line}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_narrow_terminal_keeps_the_counts_and_the_reason() {
        let shown = lines(
            Some(&scene("이름이아주긴#KR1 on kr, 2025")),
            Some(&told()),
            secs(112),
            40,
        );
        assert_eq!(
            shown,
            [
                "| 이름이아주긴#KR1 on kr, 2025",
                "  matches    [>                  ] 4/64",
                "  timelines  [                    ] 0/?",
                "  waits: the key's budget is used up, …",
            ]
        );
    }

    #[test]
    fn a_bar_is_full_only_when_all_is_done() {
        let drawn = |done, whole| {
            let meter = Meter {
                name: "matches",
                done,
                whole,
            };
            let line = bar(&meter, 80);
            let full = line.matches('=').count() + line.matches('>').count();
            (full, line.ends_with(&meter.count()))
        };
        assert_eq!(drawn(0, Some(0)), (0, true));
        assert_eq!(drawn(0, None), (0, true));
        assert_eq!(drawn(7, None), (0, true));
        assert_eq!(drawn(9_999, Some(10_000)), (39, true));
        assert_eq!(drawn(10_000, Some(10_000)), (40, true));
        assert_eq!(drawn(1, Some(10_000)), (0, true));
        assert_eq!(drawn(u64::MAX, Some(1)), (40, true));
    }

    #[test]
    fn the_time_left_counts_down_and_a_time_that_is_over_becomes_one_that_has_passed() {
        let line = |now| told().line(Duration::from_millis(now));
        assert_eq!(line(112_900), "waits: the key's budget is used up, 9 s");
        assert_eq!(line(120_500), "waits: the key's budget is used up, 1 s");
        assert_eq!(
            line(121_000),
            "waits: the key's budget is used up, for 11 s so far"
        );
        let mut scene = scene("x");
        scene.status.clear();
        assert_eq!(head(&scene, secs(250), 80), "- x  about 70 s left, 150 s");
        assert!(!head(&scene, secs(317), 80).contains("left"));
    }
}
