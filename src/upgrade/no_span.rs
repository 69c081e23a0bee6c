//! `in_current_span`, where there are no spans.

pub(super) const fn in_current_span<F>(task: F) -> F {
    task
}
