//! The resident memory of another process.

use std::{
    fs,
    io::{Error, Result},
    thread::sleep,
    time::Duration,
};

/// Waits until a process's resident memory stays what it is, and returns its bytes.
///
/// # Errors
/// The system does not tell it, as only Linux does, or it does not come to rest within ten seconds.
pub fn settled(process: u32) -> Result<u64> {
    let mut last = bytes(process)?;
    let mut calm = 0;
    for _ in 0..100 {
        sleep(Duration::from_millis(100));
        let now = bytes(process)?;
        calm = if now == last { calm + 1 } else { 0 };
        if calm == CALM {
            return Ok(now);
        }
        last = now;
    }
    Err(Error::other("the server's memory does not come to rest"))
}

/// Returns the name of the allocator below Rust's, which this program does not replace.
#[must_use]
pub fn allocator() -> String {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: it returns a string that ends with a zero and lives as long as the program.
        let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
        format!("glibc {}", version.to_string_lossy())
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    "the system's".to_owned()
}

/// So many looks, a tenth of a second apart, find no change.
const CALM: u32 = 3;

/// Returns the bytes of a process's memory that are resident, counted page by page.
///
/// `statm` is cheaper and, with several processors, off by up to some hundred pages.
fn bytes(process: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    rollup
        .lines()
        .find_map(|line| {
            let kilobytes = line.strip_prefix("Rss:")?.trim().strip_suffix(" kB")?;
            kilobytes.parse::<u64>().ok()
        })
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| Error::other("the system does not tell what is resident"))
}
