//! WebSockets for axum, with the method names of axum's own extractor.
