//! What the platform itself costs, measured beside the functions: an empty Rust Worker, and one that
//! asks a Durable Object for a row or to write one. The least that can be done, so it is not made
//! with our host.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod workers;
