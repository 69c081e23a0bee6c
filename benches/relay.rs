//! What it costs to carry an upgraded connection, beside nginx and HAProxy, on loopback.
//!
//! ```text
//! cargo bench -p tower-upgrade-bench --bench relay -- [--quick] [--only ours,haproxy] [bulk] [round-trips] [upgrades] [idle]
//! ```

use std::io::Result;

fn main() -> Result<()> {
    #[cfg(target_os = "linux")]
    return tower_upgrade_bench::relay::run::main();
    #[cfg(not(target_os = "linux"))]
    {
        println!("Only Linux tells what another process costs.");
        Ok(())
    }
}
