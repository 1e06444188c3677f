//! Runs inputs, one after the other, and says what became of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use peak_alloc::PeakAlloc;

use super::corpus::Corpus;
use super::targets::Target;

/// How long a target runs before it is the next one's turn.
const TURN: Duration = Duration::from_millis(500);
/// Of the processor an input takes at most so long. The largest take some 0.2 s.
const TIME_MAX: Duration = Duration::from_secs(2);
/// One that takes so long has no end, also on a busy machine.
const HANGS: Duration = Duration::from_mins(2);
/// Memory for one input, from its making to the end of its reading.
const MEMORY_MAX: usize = 64 * 1024 * 1024;

/// What is to be run.
#[derive(Debug)]
pub struct Plan {
    pub time: Duration,
    pub seed: u64,
    pub inputs: Option<u64>,
}

/// What became of the inputs of a target.
#[derive(Debug, Default)]
struct Sum {
    inputs: u64,
    time: Duration,
    slowest: (Duration, u64),
    largest: (usize, u64),
    failed: Option<(u64, String)>,
}

/// Makes an input and checks it. A panic is its failure.
pub fn one(target: &Target, corpus: &Corpus, seed: u64) {
    (target.check)(corpus, &mut Rng::with_seed(seed));
}

/// What inputs are run with.
#[derive(Debug, Clone)]
struct Bench {
    corpus: Arc<Corpus>,
    memory: PeakAlloc,
    /// What the last panic said.
    said: Arc<Mutex<String>>,
}

/// Runs the targets in turn until the time is over, and tells what came of them.
pub fn all(
    targets: &[&'static Target],
    samples: Option<&Path>,
    plan: &Plan,
    memory: PeakAlloc,
) -> ExitCode {
    let bench = Bench {
        corpus: Arc::new(Corpus::new(samples)),
        memory,
        said: Arc::default(),
    };
    let hook = bench.said.clone();
    // What a panic says is told with its input.
    std::panic::set_hook(Box::new(move |panic| {
        if let Ok(mut said) = hook.lock() {
            *said = panic.to_string();
        }
    }));
    let begun = Instant::now();
    let mut sums: Vec<Sum> = targets.iter().map(|_| Sum::default()).collect();
    loop {
        for (target, sum) in targets.iter().zip(&mut sums) {
            let left = plan.inputs.map(|inputs| inputs - sum.inputs);
            if sum.failed.is_none() && left != Some(0) {
                let first = plan.seed.wrapping_add(sum.inputs);
                turn(target, &bench, first, left, sum);
            }
        }
        let is_done = match plan.inputs {
            Some(inputs) => sums
                .iter()
                .all(|sum| sum.failed.is_some() || sum.inputs >= inputs),
            None => begun.elapsed() >= plan.time || sums.iter().all(|sum| sum.failed.is_some()),
        };
        if is_done {
            return told(targets, &sums, begun.elapsed());
        }
    }
}

/// Some inputs of one target, in a thread that is named after them: an overflow of its stack says its name.
fn turn(target: &'static Target, bench: &Bench, first: u64, left: Option<u64>, sum: &mut Sum) {
    let current = Arc::new(AtomicU64::new(first));
    let (tell, ends) = channel();
    let (bench, now) = (bench.clone(), current.clone());
    let work = move || {
        let mut sum = Sum::default();
        let begun = Instant::now();
        let is_over = |sum: &Sum| {
            let all = left.is_some_and(|left| sum.inputs >= left);
            all || sum.failed.is_some() || begun.elapsed() >= TURN
        };
        while !is_over(&sum) {
            let seed = first.wrapping_add(sum.inputs);
            now.store(seed, Ordering::Relaxed);
            bench.measured(target, seed, &mut sum);
        }
        sum.time = begun.elapsed();
        let _ = tell.send(sum);
    };
    let name = format!("{} from seed {first}", target.name);
    let thread = std::thread::Builder::new().name(name).spawn(work);
    let thread = thread.expect("a thread can be made");
    let mut last = (first, Instant::now());
    loop {
        match ends.recv_timeout(Duration::from_secs(1)) {
            Ok(more) => {
                let _ = thread.join();
                return sum.add(more);
            }
            Err(RecvTimeoutError::Disconnected) => {
                let why = "its thread ended".to_owned();
                sum.failed = Some((current.load(Ordering::Relaxed), why));
                return;
            }
            Err(RecvTimeoutError::Timeout) => {
                let seed = current.load(Ordering::Relaxed);
                if seed != last.0 {
                    last = (seed, Instant::now());
                } else if last.1.elapsed() > HANGS {
                    let name = target.name;
                    println!("{name}: seed {seed} has no end. {}", again(target, seed));
                    std::process::exit(1);
                }
            }
        }
    }
}

impl Bench {
    fn measured(&self, target: &Target, seed: u64, sum: &mut Sum) {
        let before = self.memory.current_usage();
        self.memory.reset_peak_usage();
        let begun = thread_time();
        let end = catch_unwind(AssertUnwindSafe(|| one(target, &self.corpus, seed)));
        let time = thread_time().saturating_sub(begun);
        let taken = self.memory.peak_usage().saturating_sub(before);
        sum.inputs += 1;
        sum.slowest = sum.slowest.max((time, seed));
        sum.largest = sum.largest.max((taken, seed));
        let why = match end {
            Err(_) => (self.said.lock()).map_or_else(|_| String::new(), |said| said.clone()),
            Ok(()) if time > TIME_MAX => format!("it took {time:?}"),
            Ok(()) if taken > MEMORY_MAX => format!("it took {} MiB of memory", taken >> 20),
            Ok(()) => return,
        };
        sum.failed = Some((seed, why));
    }
}

/// What this thread has had of the processor: what others take of it is not the input's.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

impl Sum {
    fn add(&mut self, more: Self) {
        self.inputs += more.inputs;
        self.time += more.time;
        self.slowest = self.slowest.max(more.slowest);
        self.largest = self.largest.max(more.largest);
        self.failed = more.failed;
    }
}

fn again(target: &Target, seed: u64) -> String {
    let name = target.name;
    format!("Again: cargo run --release --example fuzz -- --target {name} --seed {seed} --inputs 1")
}

fn told(targets: &[&Target], sums: &[Sum], time: Duration) -> ExitCode {
    println!(
        "{:<12} {:>12} {:>10} {:>12} {:>14}",
        "target", "inputs", "a second", "slowest, ms", "memory, KiB"
    );
    for (target, sum) in targets.iter().zip(sums) {
        println!(
            "{:<12} {:>12} {:>10.0} {:>12.2} {:>14}",
            target.name,
            sum.inputs,
            sum.inputs as f64 / sum.time.as_secs_f64().max(1e-9),
            sum.slowest.0.as_secs_f64() * 1e3,
            sum.largest.0 >> 10,
        );
    }
    let inputs: u64 = sums.iter().map(|sum| sum.inputs).sum();
    let mut failures = 0;
    for (target, sum) in targets.iter().zip(sums) {
        if let Some((seed, why)) = &sum.failed {
            failures += 1;
            println!(
                "\n{}: seed {seed}: {why}\n{}",
                target.name,
                again(target, *seed)
            );
        }
    }
    println!(
        "\n{inputs} inputs in {:.0} s, {failures} targets failed",
        time.as_secs_f64()
    );
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
