//! How many connections this process, and each that it starts, may have open.

use std::{
    io::{Error, Result},
    mem::MaybeUninit,
};

/// Raises the limit of open descriptors as far as it may be, and returns what it is then.
///
/// Processes started later inherit it.
///
/// # Errors
/// The system does not tell the limit, or does not let it be raised.
pub fn raise() -> Result<usize> {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: the pointer is to an `rlimit`, which the call fills unless it fails.
    let mut limit = unsafe {
        succeeded(libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr()))?;
        limit.assume_init()
    };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is to a filled `rlimit`, which the call only reads.
    succeeded(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })?;
    Ok(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

fn succeeded(status: libc::c_int) -> Result<()> {
    if status == 0 {
        Ok(())
    } else {
        Err(Error::last_os_error())
    }
}
