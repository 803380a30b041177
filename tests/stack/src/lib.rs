//! Starts the local stack: Postgres, proxy, WorkOS emulator, functions.
