//! `MetricsObserver`: counts by the `metrics` facade.
use super::Observer;
/// Counts.
#[derive(Debug, Default)]
pub struct MetricsObserver;
impl Observer for MetricsObserver {}
