//! Log lines, trace context and the health model.
