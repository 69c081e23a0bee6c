//! `in_current_span`: what a handler logs belongs to the request that brought it.

use tracing::{Instrument as _, instrument::Instrumented};

pub(super) fn in_current_span<F>(task: F) -> Instrumented<F> {
    task.in_current_span()
}
