//! The public hostname on Workers: hands each request to the function of its path.

mod handler;

host::gateway!(handler::binding_of);
