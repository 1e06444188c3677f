use super::*;
use OutageNews::{Begins, Ends, Lasts, Nothing};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What is told while for `seconds` something fails every so often and something works every so often, in between
/// and after it.
struct Kind {
    name: &'static str,
    outage: fn() -> Outage,
    /// Between two failures, and how large they are.
    fails: (u64, u64),
    /// The same of what works meanwhile; none: nothing.
    works: Option<(u64, u64)>,
    /// How large the first thing is that works when it is over.
    then: u64,
    /// Ends of jobs wait for it.
    of_database: bool,
}

const KINDS: [Kind; 9] = [
    Kind {
        name: "a full disk, on which small commits still fit",
        outage: Outage::default,
        fails: (500, 60_000),
        works: Some((50, 300)),
        then: 90_000,
        of_database: true,
    },
    Kind {
        name: "a disk that has room again for less than was refused",
        outage: Outage::default,
        fails: (500, 60_000),
        works: Some((5_000, 0)),
        then: 0,
        of_database: true,
    },
    Kind {
        name: "a database that another program holds locked",
        outage: Outage::default,
        fails: (5_000, 0),
        works: None,
        then: 0,
        of_database: true,
    },
    Kind {
        name: "a server that is away",
        outage: Outage::default,
        fails: (40, 0),
        works: None,
        then: 0,
        of_database: true,
    },
    Kind {
        name: "a route that does not work, tried more and more rarely",
        outage: Outage::default,
        fails: (20_000, 0),
        works: None,
        then: 0,
        of_database: false,
    },
    Kind {
        name: "a key that is rejected",
        outage: Outage::default,
        fails: (48_000, 0),
        works: None,
        then: 0,
        of_database: false,
    },
    Kind {
        name: "refusals of a service between good answers",
        outage: || Outage::with_quiet(Duration::from_mins(1)),
        fails: (7_000, UNTIL_QUIET),
        works: Some((90, 0)),
        then: 0,
        of_database: false,
    },
    Kind {
        name: "a metrics log on a full disk",
        outage: Outage::default,
        fails: (10_000, 4_000),
        works: None,
        then: 5_000,
        of_database: false,
    },
    Kind {
        name: "a control socket that can take nobody in",
        outage: Outage::default,
        fails: (100, 0),
        works: None,
        then: 0,
        of_database: false,
    },
];

/// Of kinds that a database has: the ends of jobs that cannot be stored are tried again, each after some time.
const ENDS_EVERY: u64 = 10_500;

/// What is told of a database in trouble, of writes or of ends.
fn told_of_database(kind: &Kind, seconds: u64) -> Vec<OutageNews> {
    let mut outage = DatabaseOutage::default();
    let mut told = Vec::new();
    let (over, mut waits) = (seconds * 1_000, None);
    for at in (0..over + 15_000).step_by(10) {
        let now = ms(at);
        if at < over && at % kind.fails.0 == 0 {
            told.push(outage.failed(kind.fails.1, now));
        } else if let Some((every, weight)) = kind.works
            && at % every == 0
        {
            told.push(outage.worked(weight, now));
        }
        if at >= over && at % 1_000 == 0 {
            told.push(outage.worked(kind.then, now));
        }
        // One that was on its way when the trouble was over hears of it a moment later.
        if at > 0 && at <= over + ENDS_EVERY / 2 && at % ENDS_EVERY == 0 {
            let since = *waits.get_or_insert(now);
            told.extend(outage.end_waits(since, now));
        }
    }
    told.retain(|news| *news != Nothing);
    told
}

#[test]
fn an_outage_of_a_database_is_one_thing_however_many_ends_of_jobs_wait_for_it() {
    for kind in KINDS.iter().filter(|kind| kind.of_database) {
        for seconds in [12, 28, 50] {
            let told = told_of_database(kind, seconds);
            assert!(
                matches!(told[..], [Begins { untold: 0 }, Ends { .. }]),
                "{} for {seconds} s: {told:?}",
                kind.name
            );
        }
        let lines = told_of_database(kind, 200).len();
        assert_eq!(lines, 5, "{}", kind.name);
    }
}

#[test]
fn an_end_that_alone_cannot_be_stored_is_told_though_each_try_looks_like_an_outage() {
    let mut outage = DatabaseOutage::default();
    let (since, mut ends) = (ms(500), Vec::new());
    for at in (500..75_000).step_by(500) {
        outage.failed(0, ms(at));
        ends.extend(outage.end_waits(since, ms(at + 10)));
        outage.worked(0, ms(at + 300));
    }
    ends.push(outage.end_stored(ms(75_000)));
    ends.retain(|news| *news != Nothing);
    assert!(
        matches!(ends[..], [Begins { .. }, Lasts { .. }, Ends { .. }]),
        "{ends:?}"
    );
    // One that waited for an outage and goes on waiting has its own time.
    let mut outage = DatabaseOutage::default();
    outage.failed(0, ms(0));
    outage.worked(0, ms(30_000));
    assert_eq!(outage.end_waits(ms(5_000), ms(39_900)), None);
    assert!(outage.end_waits(ms(5_000), ms(40_000)).is_some());
}

fn told(kind: &Kind, seconds: u64) -> Vec<OutageNews> {
    let mut outage = (kind.outage)();
    let mut told = Vec::new();
    let mut at = 0;
    while at < seconds * 1_000 {
        if at % kind.fails.0 == 0 {
            told.push(outage.failed(kind.fails.1, ms(at)));
        } else if let Some((every, weight)) = kind.works
            && at % every == 0
        {
            told.push(outage.worked(weight, ms(at)));
        }
        told.push(outage.look(ms(at)));
        at += 10;
    }
    // All is well from now on.
    for after in 0..70 {
        told.push(outage.worked(kind.then, ms(at + after * 1_000)));
    }
    told.retain(|news| *news != Nothing);
    told
}

#[test]
fn whatever_fails_is_told_when_it_begins_each_minute_and_when_it_is_over() {
    for kind in KINDS {
        let short = told(&kind, 30);
        assert!(
            matches!(short[..], [Begins { untold: 0 }, Ends { .. }]),
            "{}: {short:?}",
            kind.name
        );
        let long = told(&kind, 200);
        assert!(
            matches!(
                long[..],
                [
                    Begins { .. },
                    Lasts { .. },
                    Lasts { .. },
                    Lasts { .. },
                    Ends { .. }
                ]
            ),
            "{}: {long:?}",
            kind.name
        );
        let Some(Ends { after, failures }) = long.last() else {
            unreachable!()
        };
        assert!(*after >= ms(199_000), "{}: {after:?}", kind.name);
        assert_eq!(
            *failures,
            200_000_u64.div_ceil(kind.fails.0),
            "{}",
            kind.name
        );
    }
}

#[test]
fn trouble_that_comes_and_goes_is_told_now_and_then_and_what_was_not_is_counted() {
    let mut outage = Outage::default();
    let mut told = Vec::new();
    // A second of trouble, four of peace.
    for second in 0..200 {
        told.push(match second % 5 {
            0 => outage.failed(0, ms(second * 1_000)),
            _ => outage.worked(0, ms(second * 1_000)),
        });
    }
    told.retain(|news| *news != Nothing);
    let begun: Vec<_> = told
        .iter()
        .filter_map(|news| match news {
            Begins { untold } => Some(*untold),
            _ => None,
        })
        .collect();
    assert_eq!(begun, [0, 11, 11, 11]);
    assert_eq!(told.len(), 8, "each has its end: {told:?}");
    // What lasts is told all the same, though a line was written a moment before.
    let mut outage = Outage::default();
    outage.failed(0, ms(0));
    outage.worked(0, ms(1_000));
    assert_eq!(outage.failed(0, ms(2_000)), Nothing);
    assert_eq!(outage.failed(0, ms(11_999)), Nothing);
    assert_eq!(outage.failed(0, ms(12_000)), Begins { untold: 0 });
}

#[test]
fn however_it_fails_and_works_beginnings_and_ends_take_turns_and_lines_are_few() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut outage = Outage::default();
        let (mut now, mut told) = (0, Vec::new());
        while now < 600_000 {
            now += rng.u64(1..3_000);
            let weight = rng.u64(0..3);
            let news = match rng.u8(0..3) {
                0 => outage.failed(weight, ms(now)),
                1 => outage.worked(weight, ms(now)),
                _ => outage.look(ms(now)),
            };
            if news != Nothing {
                told.push((now, news));
            }
        }
        let mut is_on = false;
        for (at, news) in &told {
            let begins = matches!(news, Begins { .. });
            assert_ne!(begins, is_on, "seed {seed} at {at}: {news:?}");
            is_on = !matches!(news, Ends { .. });
            let later = told
                .iter()
                .filter(|(other, _)| (*at..at + 60_000).contains(other));
            assert!(later.count() <= 14, "seed {seed} at {at}");
        }
    }
}
