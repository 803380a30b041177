// It has no route: other functions reach it by service chaining.
host::kv_ledger_owner!();
