// How many bytes the SQLite files of a folder have: on disk, and in the cells of their own tables.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const folder = process.argv[2];
const total = { ledgers: 0, disk: 0, content: 0 };
for (const file of readdirSync(folder, { recursive: true })) {
  const path = join(folder, file);
  if (!path.endsWith(".sqlite") || path.endsWith("metadata.sqlite")) continue;
  // Its owner may be writing: alarms ring when they are due.
  const database = new DatabaseSync(path, { timeout: 10_000 });
  // Into the one file, so that its size is all there is.
  database.exec("pragma wal_checkpoint(truncate)");
  const own = "select name from sqlite_master where type = 'table' and name not like '\\_cf%' escape '\\' and name not like 'sqlite%'";
  const tables = database.prepare(own).all();
  for (const { name } of tables) {
    const columns = database.prepare(`select name from pragma_table_info('${name}')`).all();
    const length = columns.map((column) => `coalesce(length("${column.name}"), 0)`).join(" + ");
    total.content += database.prepare(`select coalesce(sum(${length}), 0) as n from "${name}"`).get().n;
  }
  database.close();
  if (tables.length === 0) continue;
  total.ledgers += 1;
  total.disk += statSync(path).size;
}
console.log(JSON.stringify(total));
