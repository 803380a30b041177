// It has no route: other functions reach it by binding, and its own alarm does the rest.
host::ledger_owner!();
