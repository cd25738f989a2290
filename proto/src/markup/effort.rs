//! Counts the bytes that look-aheads examine, in this crate's tests only, so that a test can hold the work against the
//! size of the text without a clock.

#[cfg(test)]
thread_local! {
    static EXAMINED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Notes that a look-ahead has read this many bytes which it may not consume.
#[cfg(test)]
pub(super) fn examined(bytes: usize) {
    EXAMINED.set(EXAMINED.get() + bytes);
}

/// Costs nothing outside tests.
#[cfg(not(test))]
pub(super) const fn examined(_bytes: usize) {}

/// The bytes examined since the last call on this thread.
#[cfg(test)]
pub(super) fn take() -> usize {
    EXAMINED.take()
}
