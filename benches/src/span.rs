//! The part of a run that is measured: by the clock, by the allocator and, by the name of its function, by callgrind.

use std::{
    cell::Cell,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tower::Service;

use crate::allocations;

/// The function inside which callgrind collects.
pub const COLLECTED: &str = "tower_upgrade_bench_collected";

/// The function before which callgrind writes down what it collected.
pub const MARK: &str = "tower_upgrade_bench_mark";

/// What this thread's spans have cost, instructions apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// By the clock on the wall.
    pub time: Duration,
    /// Allocations and reallocations.
    pub allocations: u64,
}

thread_local! {
    static SPENT: Cell<Spent> = const { Cell::new(Spent { time: Duration::ZERO, allocations: 0 }) };
}

/// Does the work and adds its cost to the thread's. Spans do not nest.
pub fn span<T>(work: impl FnOnce() -> T) -> T {
    let mut work = Some(work);
    let mut output = None;
    let before = allocations::so_far();
    let start = Instant::now();
    tower_upgrade_bench_collected(&mut || output = work.take().map(|work| work()));
    let time = start.elapsed();
    let allocations = allocations::so_far() - before;
    let spent = SPENT.get();
    SPENT.set(Spent {
        time: spent.time + time,
        allocations: spent.allocations + allocations,
    });
    output.expect("the function calls what it is given")
}

/// Takes what the spans have cost since the last call.
pub fn take() -> Spent {
    SPENT.take()
}

/// Ends a part of callgrind's record.
pub fn mark() {
    tower_upgrade_bench_mark();
}

// SAFETY: no other function has such a name.
#[unsafe(no_mangle)]
#[inline(never)]
fn tower_upgrade_bench_collected(work: &mut dyn FnMut()) {
    work();
}

// SAFETY: no other function has such a name.
#[unsafe(no_mangle)]
#[inline(never)]
fn tower_upgrade_bench_mark() {
    black_box(());
}

/// A service whose `call` and whose future's polls are spans, and nothing around them.
#[derive(Clone, Debug)]
pub struct Spanned<S>(pub S);

impl<S, R> Service<R> for Spanned<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = SpannedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let future = span(|| self.0.call(request));
        SpannedFuture(Box::pin(future))
    }
}

/// The future of [`Spanned`].
#[derive(Debug)]
pub struct SpannedFuture<F>(Pin<Box<F>>);

impl<F: Future> Future for SpannedFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        span(|| self.0.as_mut().poll(cx))
    }
}
