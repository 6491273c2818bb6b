//! From findings to accepted mail: the book, the plan, the outbox, the texts and the ledger.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod book;
mod ledger;
mod letters;
mod loss;
mod outbox;
mod outside;
mod plan;
mod random;
mod text;
mod truth;
mod world;
