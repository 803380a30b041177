// The genuine driver of Neon judges an SQL-over-HTTP endpoint.
//
//   node tests/judges/neon-driver.mjs <sql-url> <connection-string>
//
// The connection's role must be a member of `authenticated`, and be allowed to create a schema in
// its database: everything happens in a schema of its own, which is dropped at the end.

import assert from "node:assert/strict";
import { neon, neonConfig } from "@neondatabase/serverless";
import { check, finish, refusal } from "./report.mjs";

const [endpoint, connectionString] = process.argv.slice(2);
if (!endpoint || !connectionString) {
  console.error("usage: node neon-driver.mjs <sql-url> <connection-string>");
  process.exit(2);
}
neonConfig.fetchEndpoint = endpoint;

const sql = neon(connectionString);
const schema = `judge_${process.pid}_${Date.now()}`;
const account = `${schema}.account`;

/** The first statement of every transaction on behalf of a person. */
function asUser(sub) {
  const claims = JSON.stringify({ sub, role: "authenticated" });
  return sql`select set_config('role', 'authenticated', true), set_config('request.jwt.claims', ${claims}, true)`;
}

const count = async () => (await sql.query(`select count(*)::int n from ${account}`))[0].n;

await sql.query(`create schema ${schema}`);
await sql.query(
  `create table ${account} (id int constraint account_key primary key, owner text not null, balance int check (balance >= 0))`,
);

await check("numbers, booleans, null", async () => {
  const [row] = await sql`select 1::int2 a, 2 b, 3::int8 c, 1.10::numeric d, 0.5::float8 e, true f, null g`;
  assert.deepEqual(row, { a: 1, b: 2, c: "3", d: "1.10", e: 0.5, f: true, g: null });
});

await check("text, unicode, json, dates, bytea", async () => {
  const [row] = await sql`select 'é😀"\n' t, '{"a":[1,null]}'::jsonb j, timestamptz '2026-01-02 03:04:05Z' d, '\\x00ff'::bytea b`;
  assert.equal(row.t, 'é😀"\n');
  assert.deepEqual(row.j, { a: [1, null] });
  assert.equal(row.d.toISOString(), "2026-01-02T03:04:05.000Z");
  assert.deepEqual([...row.b], [0, 255]);
});

await check("arrays", async () => {
  const [row] = await sql`select array[1,null,3] i, array['a,b','c"d',null,'NULL'] t, array[[1,2],[3,4]] m, '{}'::int[] e`;
  assert.deepEqual(row, { i: [1, null, 3], t: ["a,b", 'c"d', null, "NULL"], m: [[1, 2], [3, 4]], e: [] });
});

await check("parameters: null, number, boolean, unicode", async () => {
  const [row] = await sql`select ${null}::text a, ${7}::int b, ${false}::bool c, ${"ü\\'\"😀"}::text d`;
  assert.deepEqual(row, { a: null, b: 7, c: false, d: "ü\\'\"😀" });
});

await check("parameters: json, array, bytea, date", async () => {
  const bytes = Buffer.from([0, 1, 254, 255]);
  const date = new Date("2026-05-06T07:08:09.123Z");
  const [row] = await sql`select ${{ k: 'v"\\' }}::jsonb j, ${["a,b", 'q"', null]}::text[] t, ${[[1, 2], [3, 4]]}::int[] m, ${bytes}::bytea b, ${date}::timestamptz d`;
  assert.deepEqual(row.j, { k: 'v"\\' });
  assert.deepEqual(row.t, ["a,b", 'q"', null]);
  assert.deepEqual(row.m, [[1, 2], [3, 4]]);
  assert.deepEqual([...row.b], [...bytes]);
  assert.equal(row.d.getTime(), date.getTime());
});

await check("a parameter is never SQL", async () => {
  const evil = `'; drop table ${account}; --`;
  const [row] = await sql`select ${evil}::text t`;
  assert.equal(row.t, evil);
  assert.equal(await count(), 0);
});

await check("arrayMode and fullResults", async () => {
  const rows = await sql.query("select 1 a, 2 a", [], { arrayMode: true });
  assert.deepEqual(rows, [[1, 2]]);
  const full = await sql.query("select 1 a, 'x'::text b", [], { fullResults: true });
  assert.deepEqual(full.fields.map((field) => [field.name, field.dataTypeID]), [["a", 23], ["b", 25]]);
  assert.equal(full.command, "SELECT");
  assert.equal(full.rowCount, 1);
  assert.deepEqual(full.rows, [{ a: 1, b: "x" }]);
});

await check("commands and row counts", async () => {
  const options = { fullResults: true };
  const inserted = await sql.query(`insert into ${account} values (1, 'ann', 5), (2, 'bob', 5)`, [], options);
  assert.deepEqual([inserted.command, inserted.rowCount], ["INSERT", 2]);
  const updated = await sql.query(`update ${account} set balance = 6 returning id`, [], options);
  assert.deepEqual([updated.command, updated.rowCount, updated.rows.length], ["UPDATE", 2, 2]);
  const deleted = await sql.query(`delete from ${account}`, [], options);
  assert.deepEqual([deleted.command, deleted.rowCount], ["DELETE", 2]);
});

await check("errors carry Postgres' fields", async () => {
  const syntax = await refusal(sql.query("select wrong"));
  assert.deepEqual([syntax.name, syntax.code, syntax.position], ["NeonDbError", "42703", "8"]);
  await sql.query(`insert into ${account} values (1, 'ann', 5)`);
  const unique = await refusal(sql.query(`insert into ${account} values (1, 'ann', 5)`));
  assert.equal(unique.code, "23505");
  assert.equal(unique.constraint, "account_key");
  assert.equal(unique.detail, "Key (id)=(1) already exists.");
  assert.deepEqual([unique.schema, unique.table, unique.severity], [schema, "account", "ERROR"]);
  await sql.query(`delete from ${account}`);
});

await check("one statement per query", async () => {
  assert.equal((await refusal(sql.query("select 1; select 2"))).code, "42601");
});

await check("a transaction commits as a whole", async () => {
  const results = await sql.transaction([
    sql.query(`insert into ${account} values (1, 'ann', 5)`),
    sql.query(`select owner from ${account} where id = $1`, [1]),
  ]);
  assert.deepEqual(results, [[], [{ owner: "ann" }]]);
  assert.equal(await count(), 1);
});

await check("a transaction fails as a whole", async () => {
  const error = await refusal(
    sql.transaction([
      sql.query(`insert into ${account} values (2, 'bob', 5)`),
      sql.query(`update ${account} set balance = -1`),
      sql.query(`insert into ${account} values (3, 'eve', 5)`),
    ]),
  );
  assert.equal(error.code, "23514");
  assert.equal(await count(), 1);
});

await check("isolation levels", async () => {
  for (const [level, name] of [
    ["ReadUncommitted", "read uncommitted"],
    ["ReadCommitted", "read committed"],
    ["RepeatableRead", "repeatable read"],
    ["Serializable", "serializable"],
  ]) {
    const [rows] = await sql.transaction([sql`show transaction_isolation`], { isolationLevel: level });
    assert.equal(rows[0].transaction_isolation, name);
  }
});

await check("read only and deferrable", async () => {
  const options = { isolationLevel: "Serializable", readOnly: true, deferrable: true };
  const [first, second] = await sql.transaction(
    [sql`show transaction_read_only`, sql`show transaction_deferrable`],
    options,
  );
  assert.deepEqual([first[0].transaction_read_only, second[0].transaction_deferrable], ["on", "on"]);
  const write = sql.query(`delete from ${account}`);
  assert.equal((await refusal(sql.transaction([write], { readOnly: true }))).code, "25006");
});

await check("transaction with arrayMode and fullResults", async () => {
  const [result] = await sql.transaction([sql`select 1 a, 2 b`], { arrayMode: true, fullResults: true });
  assert.deepEqual([result.rows, result.rowCount, result.rowAsArray], [[[1, 2]], 1, true]);
});

await check("50 parallel queries get their own answers", async () => {
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  const answers = await Promise.all(
    numbers.map((n) => sql`select ${n}::int n, ${`text ${n}`}::text t, pg_sleep(0.005)::text`),
  );
  assert.deepEqual(answers.map(([row]) => [row.n, row.t]), numbers.map((n) => [n, `text ${n}`]));
});

await check("row-level security by role and claims", async () => {
  await sql.query(`delete from ${account}`);
  await sql.query(`insert into ${account} values (1, 'ann', 1), (2, 'bob', 1)`);
  await sql.query(`alter table ${account} enable row level security`);
  await sql.query(
    `create policy own on ${account} to authenticated using (owner = current_setting('request.jwt.claims', true)::json ->> 'sub')`,
  );
  await sql.query(`grant usage on schema ${schema} to authenticated`);
  await sql.query(`grant select, insert on ${account} to authenticated`);
  for (const user of ["ann", "bob", "eve"]) {
    const [, rows] = await sql.transaction([asUser(user), sql.query(`select owner from ${account}`)]);
    assert.deepEqual(rows, user === "eve" ? [] : [{ owner: user }]);
  }
  const foreign = sql.query(`insert into ${account} values (9, 'bob', 1)`);
  assert.equal((await refusal(sql.transaction([asUser("ann"), foreign]))).code, "42501");
});

await check("50 parallel people see only their own", async () => {
  const people = Array.from({ length: 50 }, (_, index) => (index % 2 ? "ann" : "bob"));
  const seen = await Promise.all(
    people.map((user) => sql.transaction([asUser(user), sql.query(`select owner from ${account}`)])),
  );
  assert.deepEqual(seen.map(([, rows]) => rows.map((row) => row.owner).join()), people);
});

await check("role and claims end with the transaction", async () => {
  const states = await Promise.all(
    Array.from({ length: 30 }, () => sql`select current_user u, current_setting('request.jwt.claims', true) c`),
  );
  for (const [row] of states) {
    assert.notEqual(row.u, "authenticated");
    assert.ok(!row.c, `claims ${row.c}`);
  }
});

await check("session state does not leak", async () => {
  const leaks = [
    "set role authenticated",
    "select set_config('request.jwt.claims', '{\"sub\":\"ann\"}', false)",
    "set statement_timeout = 1234",
    "create temp table leak (id int)",
    "prepare leak as select 1",
    "select pg_advisory_lock(4242)",
    "begin",
  ];
  const probe = () => sql`
    select current_user u, coalesce(current_setting('request.jwt.claims', true), '') c,
      current_setting('statement_timeout') t, to_regclass('pg_temp.leak')::text temp,
      (select count(*)::int from pg_prepared_statements where name = 'leak') p,
      (select count(*)::int from pg_locks where locktype = 'advisory' and objid = 4242) l`;
  const [before] = await probe();
  for (const leak of leaks) {
    await sql.query(leak);
    const after = await Promise.all(Array.from({ length: 20 }, probe));
    for (const [row] of after) assert.deepEqual(row, before, leak);
  }
});

await check("wrong credentials are refused", async () => {
  for (const change of [{ password: "wrong" }, { username: "postgres" }, { password: "" }]) {
    const url = Object.assign(new URL(connectionString), change);
    const error = await refusal(neon(url.href)`select 1`);
    assert.match(error.message, /password/i);
    if (change.password !== "") assert.equal(error.code, "28P01");
  }
});

await sql.query(`drop schema ${schema} cascade`);
finish();
