//! Groups judged by hand-made views.
