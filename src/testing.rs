//! Offers in memory, and the client's end of what became of them.
