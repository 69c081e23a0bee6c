//! What the system knows of another process and of those it started.

use std::{
    fs,
    io::{Error, Result},
};

/// Returns the process and all that it started and those started.
///
/// # Errors
/// The system does not tell, as only Linux does.
pub fn tree(process: u32) -> Result<Vec<u32>> {
    let mut tree = vec![process];
    let mut seen = 0;
    while let Some(process) = tree.get(seen).copied() {
        let path = format!("/proc/{process}/task/{process}/children");
        let children = fs::read_to_string(path)?;
        tree.extend(
            children
                .split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
        seen += 1;
    }
    Ok(tree)
}

/// Returns the microseconds that these processes have kept a processor busy, in their own code and in the system's.
///
/// # Errors
/// The system does not tell, as only Linux does.
pub fn time_spent(processes: &[u32]) -> Result<f64> {
    let mut nanos = 0;
    for process in processes {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let line = fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = line.split_whitespace().next().unwrap_or_default();
            nanos += first.parse::<u64>().map_err(Error::other)?;
        }
    }
    Ok(nanos as f64 / 1_000.0)
}

/// Returns the microseconds that all processors together were busy, to a hundredth of a second.
///
/// # Errors
/// The system does not tell, as only Linux does.
pub fn all_busy() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).enumerate();
    let mut busy = 0;
    for (column, ticks) in ticks.take(8) {
        if !IDLE.contains(&column) {
            busy += ticks.parse::<u64>().map_err(Error::other)?;
        }
    }
    Ok(busy as f64 * 10_000.0)
}

/// The columns of `/proc/stat` for having nothing to do, and for having to wait for a disk.
const IDLE: [usize; 2] = [3, 4];
