//! The shop as a program of its own: in a browser, and under traffic.

mod support;

mod clicks;
mod traffic;
