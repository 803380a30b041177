//! The only crate that names a platform SDK: adapters, the request pipeline, entrypoint!.
