set role atoms_owner;

drop table app.workflow_step_results;
drop table app.workflow_runs;
drop function app.keep_finished();

reset role;
