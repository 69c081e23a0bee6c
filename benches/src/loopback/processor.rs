//! What the operating system knows and decides about processors.

use std::mem::MaybeUninit;

/// Returns the microseconds that this process has kept a processor busy, in its own code and in the system's.
pub fn time_spent() -> i64 {
    let mut usage = MaybeUninit::uninit();
    // SAFETY: the pointer is to a `rusage`, which the call fills unless it fails.
    let usage = unsafe {
        assert_eq!(
            libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()),
            0,
            "the usage of oneself is known"
        );
        usage.assume_init()
    };
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    micros(usage.ru_utime) + micros(usage.ru_stime)
}

/// Keeps this process, and those that it starts, on the processor that it runs on.
///
/// Waking a process on another, idle processor can cost more than the handshake, and whether it happens is chance.
pub fn stay() {
    #[cfg(target_os = "linux")]
    // SAFETY: it takes nothing and only tells.
    if let Ok(processor) = usize::try_from(unsafe { libc::sched_getcpu() }) {
        keep_to(processor);
    }
}

/// Keeps this process, and those that it starts from now on, on that processor, if there is one.
#[cfg(target_os = "linux")]
pub fn keep_to(processor: usize) {
    // SAFETY: an all-zero set is an empty one, and the size is its size. Where it fails, the times only wander more.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}
