//! SQL over HTTP, row-level-security transactions and the typed queries of the Atoms model.
