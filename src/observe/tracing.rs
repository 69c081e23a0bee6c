//! `TracingObserver`: a span a connection.
use super::Observer;
/// A span a connection.
#[derive(Debug, Default)]
pub struct TracingObserver;
impl Observer for TracingObserver {}
