//! What the operating system says of this process. Linux's `/proc`; zero where there is none.

use std::time::Duration;

/// Kernel ticks a second in `/proc/self/stat`: fixed by the Linux ABI.
const TICKS_PER_S: u64 = 100;

/// Resident memory now, in bytes.
pub fn resident_bytes() -> u64 {
    status_kib("VmRSS:") * 1024
}

/// The most resident memory there ever was, or since `forget_resident_peak`, in bytes.
pub fn resident_peak_bytes() -> u64 {
    status_kib("VmHWM:") * 1024
}

/// Counts the most resident memory from now on, where the kernel lets a process do so (see `proc_pid_clear_refs(5)`).
pub fn forget_resident_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn status_kib(field: &str) -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.split_whitespace().next()?.parse().ok()
        })
        .unwrap_or(0)
}

/// Processor time that this thread has used.
pub fn cpu_of_thread() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Processor time of the threads of a name, in user and kernel; of those that have not ended.
pub fn cpu_of_threads(name: &str) -> Duration {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let of_name = threads.flatten().filter(|thread| {
        std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    });
    of_name
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok())
        .map(|stat| cpu_in(&stat))
        .sum()
}

/// Processor time used so far, of all threads, in user and kernel.
pub fn cpu_time() -> Duration {
    std::fs::read_to_string("/proc/self/stat").map_or(Duration::ZERO, |stat| cpu_in(&stat))
}

fn cpu_in(stat: &str) -> Duration {
    let ticks = || {
        // The second field may hold blanks; it ends with the last ')'.
        let fields = stat.rsplit_once(')')?.1;
        let mut fields = fields.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(user + system)
    };
    Duration::from_millis(ticks().unwrap_or(0) * 1000 / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_forgotten_is_not_the_peak_any_more() {
        // Larger than what an allocator keeps for itself.
        let much = std::hint::black_box(vec![1_u8; 256 << 20]);
        drop(much);
        let peak = resident_peak_bytes();
        forget_resident_peak();
        assert!(resident_peak_bytes() + (128 << 20) < peak);
    }

    #[test]
    fn a_running_process_has_memory_and_time() {
        assert!(resident_bytes() > 0);
        assert!(resident_peak_bytes() > 0);
        let before = cpu_time();
        let mut sum = 0_u64;
        while cpu_time() == before {
            sum = sum.wrapping_mul(31).wrapping_add(std::hint::black_box(1));
        }
        assert!(cpu_time() > before, "{sum}");
        assert!(cpu_of_thread() > Duration::ZERO);
        let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        while cpu_of_threads(name.trim()).is_zero() {
            sum = sum.wrapping_mul(31).wrapping_add(std::hint::black_box(1));
        }
        assert_eq!(cpu_of_threads("nobody's"), Duration::ZERO);
    }
}
