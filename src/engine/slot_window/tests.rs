//! The slot window, step by step.

use super::*;
use riftsync_basics::JobId;

fn jobs(count: i64) -> Vec<ClaimedJob> {
    let job = |n| ClaimedJob {
        lease: lease(n),
        flow: JobId(n),
        kind: "k".into(),
        lane: String::new(),
        key: None,
        args: String::new(),
        priority: Priority::DEFAULT,
        attempt: 1,
        max_attempts: 1,
        alone: false,
    };
    (0..count).map(job).collect()
}

fn lease(n: i64) -> Lease {
    Lease {
        job: JobId(n),
        token: n,
    }
}

fn open(slots: usize, prefetch: usize) -> SlotWindow {
    let mut window = SlotWindow::new(slots, prefetch, None);
    assert_eq!(window.look(), None, "not before it is open");
    window.open();
    window
}

fn settings(slots: usize) -> QueueSettings {
    QueueSettings {
        slots,
        prefetch: slots,
        rate: None,
        paused: false,
    }
}

fn asked(window: &mut SlotWindow) -> Option<usize> {
    window.look().map(|look| look.room)
}

fn started(window: &mut SlotWindow) -> usize {
    let mut count = 0;
    while let Next::Start(_) = window.next(Duration::ZERO) {
        count += 1;
    }
    count
}

#[test]
fn a_claim_asks_for_the_room_there_is_and_is_alone() {
    let mut window = open(2, 2);
    assert_eq!(asked(&mut window), Some(4));
    assert_eq!(window.look(), None, "one is in flight");
    window.claimed(jobs(3));
    assert_eq!(started(&mut window), 2);
    assert_eq!(asked(&mut window), Some(1));
}

#[test]
fn a_full_claim_means_that_more_is_there() {
    let mut window = open(1, 1);
    window.look();
    window.claimed(jobs(2));
    assert_eq!(started(&mut window), 1);
    assert!(!window.wants_more(), "no room yet");
    window.ended(lease(0), false);
    assert!(window.wants_more());
}

#[test]
fn a_claim_of_unknown_fate_is_followed_by_handing_back_what_is_not_held() {
    let mut window = open(1, 2);
    window.look();
    window.claimed(jobs(2));
    assert_eq!(started(&mut window), 1);
    window.look();
    window.claim_failed();
    let look = window.look().unwrap();
    let mut held = look.reconcile.unwrap();
    held.sort_by_key(|lease| lease.token);
    let expected: Vec<Lease> = jobs(2).into_iter().map(|job| job.lease).collect();
    assert_eq!((look.room, held), (1, expected));
    window.claimed(vec![]);
    assert_eq!(window.look().unwrap().reconcile, None);
}

#[test]
fn a_paused_queue_starts_nothing_until_it_is_resumed() {
    let mut window = open(2, 2);
    window.look();
    window.claimed(jobs(1));
    window.set(QueueSettings {
        paused: true,
        ..settings(2)
    });
    assert_eq!((started(&mut window), window.look()), (0, None));
    window.set(settings(2));
    assert_eq!(started(&mut window), 1);
}

#[test]
fn a_queue_that_is_paused_before_it_opens_opens_when_it_is_resumed() {
    let mut window = SlotWindow::new(2, 2, None);
    window.set(QueueSettings {
        paused: true,
        ..settings(2)
    });
    window.open();
    assert_eq!(window.look(), None);
    window.set(settings(2));
    assert_eq!(asked(&mut window), Some(4));
}

#[test]
fn slots_and_rate_can_change_while_jobs_run() {
    let mut window = open(4, 4);
    window.look();
    window.claimed(jobs(8));
    assert_eq!(started(&mut window), 4);
    window.set(settings(2));
    window.ended(lease(0), false);
    window.ended(lease(1), false);
    assert_eq!(started(&mut window), 0, "two run, and two may");
    let rate = Rate {
        count: 1,
        period: Duration::from_secs(10),
    };
    window.set(QueueSettings {
        rate: Some(rate),
        ..settings(6)
    });
    assert_eq!(started(&mut window), 1);
    window.set(settings(6));
    assert_eq!(started(&mut window), 3);
}

#[test]
fn a_draining_queue_takes_nothing_any_more() {
    let mut window = open(2, 2);
    window.look();
    window.drain();
    window.claimed(jobs(2));
    window.set(settings(2));
    assert_eq!((started(&mut window), window.look()), (0, None));
}

#[test]
fn a_queues_rate_holds_the_jobs_beyond_it() {
    let rate = Rate {
        count: 2,
        period: Duration::from_secs(10),
    };
    let mut window = SlotWindow::new(5, 5, Some(rate));
    window.open();
    window.look();
    window.claimed(jobs(3));
    assert_eq!(started(&mut window), 2);
    assert!(matches!(window.next(Duration::ZERO), Next::At(at) if at == Duration::from_secs(5)));
    assert!(matches!(
        window.next(Duration::from_secs(5)),
        Next::Start(_)
    ));
}

#[test]
fn a_job_that_was_snoozed_gives_its_turn_of_the_rate_back() {
    let rate = Rate {
        count: 1,
        period: Duration::from_secs(10),
    };
    for (snoozed, may_start) in [(true, true), (false, false)] {
        let mut window = SlotWindow::new(1, 1, Some(rate));
        window.open();
        window.look();
        window.claimed(jobs(2));
        assert!(matches!(window.next(Duration::ZERO), Next::Start(_)));
        window.ended(lease(0), snoozed);
        let next = window.next(Duration::ZERO);
        assert_eq!(matches!(next, Next::Start(_)), may_start);
    }
}

#[test]
fn a_job_whose_end_is_committed_leaves_its_slot_to_the_next() {
    let mut window = open(3, 3);
    window.look();
    let mut of_lane = jobs(6);
    for job in &mut of_lane {
        "a".clone_into(&mut job.lane);
    }
    window.claimed(of_lane);
    assert_eq!(started(&mut window), 3);
    window.worked(lease(0));
    window.worked(lease(0));
    assert_eq!((started(&mut window), window.working()), (1, 3));
    assert_eq!(asked(&mut window), Some(1), "it is not held as the others");
    window.claimed(Vec::new());
    window.worked(lease(1));
    window.worked(lease(2));
    assert_eq!(started(&mut window), 1, "two ends beside three slots");
    window.ended(lease(0), false);
    assert_eq!((started(&mut window), window.working()), (1, 3));
    let held = window.give_up_ready();
    assert_eq!(held, None, "all of them run");
    assert_eq!(window.running.len(), 5);
}

#[test]
fn a_queue_with_one_slot_does_one_thing_after_the_other() {
    let mut window = open(1, 1);
    window.look();
    window.claimed(jobs(2));
    assert_eq!(started(&mut window), 1);
    window.worked(lease(0));
    assert_eq!(started(&mut window), 0, "its end is not committed");
    window.ended(lease(0), false);
    assert_eq!(started(&mut window), 1);
}

#[test]
fn a_job_that_becomes_urgent_while_its_end_is_committed_takes_no_slot_of_the_urgent() {
    let mut window = open(3, 3);
    window.look();
    window.claimed([urgent(0..1), jobs(2).split_off(1)].concat());
    assert_eq!(started(&mut window), 2);
    window.worked(lease(0));
    window.worked(lease(1));
    window.hurry(&Priorities::new([(lease(1), Priority::INTERACTIVE)].into()));
    assert_eq!((window.working(), window.urgent_working), (0, 0));
    window.ended(lease(0), false);
    window.ended(lease(1), false);
    assert_eq!((window.working(), window.urgent_working), (0, 0));
}

#[test]
fn an_urgent_job_does_not_wait_for_a_slot() {
    let mut window = open(2, 1);
    window.look();
    window.claimed(jobs(3));
    assert_eq!(started(&mut window), 2);
    let look = window.look().unwrap();
    assert_eq!((look.room, look.part), (2, Part::Urgent), "all is full");
    assert_eq!(look.wanted("q").before, Some(Priority::DEFAULT));
    window.claimed(urgent(9..11));
    assert_eq!(started(&mut window), 2);
    assert!(window.running.contains_key(&lease(9)));
    assert_eq!(window.look(), None, "only so many");
    window.ended(lease(9), false);
    assert!(window.wants_more(), "the last claim was full");
    assert_eq!(window.look().map(|look| look.part), Some(Part::Urgent));
    window.claimed(vec![]);
    assert!(!window.wants_more());
}

fn urgent(ids: std::ops::Range<i64>) -> Vec<ClaimedJob> {
    let mut urgent = jobs(ids.end).split_off(usize::try_from(ids.start).unwrap());
    for job in &mut urgent {
        job.priority = Priority::INTERACTIVE;
    }
    urgent
}

/// However many people come: what they wait for has nearly all slots, and the crawl has its two.
#[test]
fn a_crawl_keeps_some_slots_and_room_however_much_is_urgent() {
    let mut window = open(16, 16);
    assert_eq!(asked(&mut window), Some(32));
    window.claimed(urgent(0..32));
    assert_eq!(started(&mut window), 30);
    // There may be more urgent ones, and then there are none: the others get their room all the same.
    let look = window.look().unwrap();
    assert_eq!((look.room, look.part), (14, Part::Urgent));
    window.claimed(urgent(32..40));
    assert!(window.wants_more());
    let look = window.look().unwrap();
    assert_eq!((look.room, look.part), (2, Part::Plain));
    assert_eq!(look.wanted("q").from, Some(Priority::DEFAULT));
    window.claimed(jobs(102).split_off(100));
    assert_eq!(started(&mut window), 2);
    assert_eq!(window.running(), 32);
    window.ended(lease(100), false);
    assert_eq!(
        started(&mut window),
        0,
        "its place is left for another of the crawl"
    );
    assert_eq!(window.look().map(|look| look.part), Some(Part::Plain));
    window.claimed(jobs(103).split_off(102));
    assert_eq!(started(&mut window), 1);
}

#[test]
fn news_that_come_while_a_claim_is_in_flight_are_looked_for_after_it() {
    let mut window = open(2, 1);
    window.look();
    window.claimed(jobs(3));
    started(&mut window);
    window.news();
    assert_eq!(window.look().map(|look| look.part), Some(Part::Urgent));
    window.news();
    assert_eq!(window.look(), None, "one is in flight");
    window.claimed(vec![]);
    assert!(window.wants_more());
    assert_eq!(window.look().map(|look| look.part), Some(Part::Urgent));
    window.claimed(vec![]);
    assert!(!window.wants_more());
}

#[test]
fn a_job_that_somebody_comes_to_wait_for_goes_before_the_others_and_leaves_its_slot_to_them() {
    let mut window = open(2, 2);
    window.look();
    let mut crawl = jobs(4);
    for job in &mut crawl {
        "a".clone_into(&mut job.lane);
    }
    window.claimed(crawl);
    assert_eq!(started(&mut window), 2);
    let raised = [
        (lease(1), Priority::INTERACTIVE),
        (lease(3), Priority::INTERACTIVE),
    ];
    window.hurry(&Priorities::new(raised.into()));
    assert_eq!(started(&mut window), 1);
    assert!(window.running.contains_key(&lease(3)));
    for ended in [0, 1, 3] {
        window.ended(lease(ended), false);
    }
    assert_eq!(started(&mut window), 1, "of the crawl");
    assert_eq!(window.running(), 1);
}

#[test]
fn an_urgent_job_borrows_of_the_rate_what_a_crawl_has_used_up() {
    let rate = Rate {
        count: 2,
        period: Duration::from_secs(10),
    };
    let mut window = SlotWindow::new(4, 4, Some(rate));
    window.open();
    window.look();
    window.claimed(jobs(4));
    assert_eq!(started(&mut window), 2, "and then the rate holds");
    window.news();
    window.look();
    window.claimed(urgent(10..13));
    assert_eq!(started(&mut window), 2, "a period's worth on credit");
    assert!(matches!(window.next(Duration::ZERO), Next::At(at) if at == Duration::from_secs(5)));
}

#[test]
fn what_is_urgent_starts_before_what_was_ready() {
    let mut window = open(1, 3);
    window.look();
    window.claimed(jobs(2));
    assert_eq!(started(&mut window), 1);
    window.look();
    let mut more = jobs(11).split_off(9);
    more[1].priority = Priority::INTERACTIVE;
    window.claimed(more);
    assert_eq!(started(&mut window), 1);
    assert!(window.running.contains_key(&lease(10)));
    window.ended(lease(0), false);
    assert_eq!(started(&mut window), 1, "a slot is left to the others");
    assert!(window.running.contains_key(&lease(1)));
    window.ended(lease(1), false);
    window.ended(lease(10), false);
    assert_eq!(started(&mut window), 1);
    assert!(window.running.contains_key(&lease(9)));
}

#[test]
fn a_held_queue_and_a_closed_lane_start_nothing_and_the_rest_goes_on() {
    let mut window = open(4, 4);
    window.look();
    let mut of_lane = jobs(4);
    for (job, lane) in of_lane.iter_mut().zip(["a", "a", "b", ""]) {
        lane.clone_into(&mut job.lane);
    }
    window.claimed(of_lane);
    window.hold(true, BTreeSet::new());
    assert_eq!((started(&mut window), window.look()), (0, None));
    window.hold(false, BTreeSet::from(["a".to_owned()]));
    assert_eq!(started(&mut window), 2, "of b and of no lane");
    assert_eq!(window.look().unwrap().closed, ["a"]);
    window.hold(false, BTreeSet::new());
    assert_eq!(started(&mut window), 2);
}

#[test]
fn a_lane_that_waits_leaves_room_for_another() {
    let mut window = open(16, 16);
    window.look();
    let mut of_a = jobs(32);
    for job in &mut of_a {
        "a".clone_into(&mut job.lane);
    }
    window.claimed(of_a);
    assert_eq!(started(&mut window), 14);
    window.ended(lease(0), false);
    let look = window.look().unwrap();
    assert_eq!((look.room, look.closed), (1, vec!["a".to_owned()]));
    let mut of_b = jobs(100).split_off(99);
    "b".clone_into(&mut of_b[0].lane);
    window.claimed(of_b);
    assert_eq!(
        started(&mut window),
        2,
        "one more of a, and b before all others of a"
    );
    assert!(window.running.contains_key(&lease(99)));
}

/// What a person waits for is of the same lane as the crawl, which waits with all that it may have.
#[test]
fn an_urgent_job_is_claimed_though_its_lane_has_all_that_it_may_have() {
    let mut window = open(16, 16);
    window.look();
    let mut of_a = jobs(32);
    for job in &mut of_a {
        "a".clone_into(&mut job.lane);
    }
    window.claimed(of_a);
    assert_eq!(started(&mut window), 14);
    window.ended(lease(0), false);
    window.news();
    let look = window.look().unwrap();
    assert_eq!((look.part, look.closed), (Part::Urgent, vec![]));
    let mut urgent = urgent(40..42);
    for job in &mut urgent {
        "a".clone_into(&mut job.lane);
    }
    window.claimed(urgent);
    assert_eq!(started(&mut window), 2);
    assert!((40..42).all(|n| window.running.contains_key(&lease(n))));
    // There were no more of those: jobs of other lanes are next, once there is room.
    window.ended(lease(1), false);
    window.ended(lease(2), false);
    let look = window.look().unwrap();
    assert_eq!((look.part, look.closed), (Part::All, vec!["a".to_owned()]));
}

/// Urgent jobs that may be there, again and again, keep no claim from the others.
#[test]
fn claims_of_urgent_jobs_of_a_full_lane_and_of_all_take_turns() {
    let mut window = open(16, 16);
    window.look();
    let mut of_a = jobs(32);
    for job in &mut of_a {
        "a".clone_into(&mut job.lane);
    }
    window.claimed(of_a);
    assert_eq!(started(&mut window), 14);
    window.ended(lease(0), false);
    window.news();
    for part in [Part::Urgent, Part::All, Part::Urgent, Part::All] {
        assert_eq!(window.look().unwrap().part, part);
        window.news();
        window.claimed(Vec::new());
    }
}
