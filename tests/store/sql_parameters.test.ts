// @runtimes deno
/**
 * SQL takes values as parameters only. This reads the code: a text given to `unsafe()`, and every template that looks
 * like SQL, may hold nothing but what is listed here, with the reason why it is safe.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "../harness.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** By file: what may stand inside `${…}` of SQL, and why. */
const ALLOWED: Record<string, Record<string, string>> = {
  "runtime/store/sql.ts": {
    'held("", "h.instance = $1::uuid")': "a constant condition, with a parameter in it",
    lock: "one of two constants, given by the two constants made of it",
    WHOLE: "a constant list of columns",
    CONTENT_BOUND: "a constant expression, with a parameter in it",
  },
  "runtime/store/sql_publish.ts": {
    COLUMNS: "a constant list of columns",
    TODAY: "a constant expression",
    'callsOf("", "")': "a constant",
    uuids: "the number of a parameter",
    names: "the number of a parameter",
    args: "the number of a parameter",
    kwargs: "the number of a parameter",
    rows: "one of two constants, given by the two constants made of it",
    "rowsOf(13)": "a constant",
    "contentsOf(13)": "a constant",
  },
  "runtime/store/sql_nodes.ts": {
    AT_EASE: "a constant part of a statement",
    ORPHANED: "a constant condition",
    WHOLE: "a constant list of columns",
  },
  "runtime/store/hint_texts.ts": {
    'told.join(", ")': "calls with a constant, and with uuids as textLiteral() writes them",
  },
  "runtime/store/sql_dead.ts": {
    DEAD_NAME: "a constant expression",
    DEAD_MESSAGE: "a constant expression",
    KEPT: "a constant list of columns",
    READ: "a constant list of columns",
    WHOLE: "a constant list of columns",
    SHOWN_STATE: "a constant expression",
    lock: "one of two constants, given by the constants made of it",
  },
  "runtime/store/pruning.ts": {
    name:
      "from the catalog, where the statement matches it with archive_ or content_ and eight digits; checked again by the function",
  },
  "runtime/store/sql_look.ts": {
    'held("", "h.instance = $2::uuid")': "a constant condition, with a parameter in it",
    LATER: "a constant condition",
    'asks("o")': "a constant condition",
    'ready("o")': "a constant condition",
    'held("r")': "a constant condition",
    LIVE: "a constant list of columns",
    FINAL: "a constant list of columns",
    MATCH: "a constant condition, with parameters in it",
    SHOWN_STATE: "a constant expression",
    WAITED: "a constant expression",
  },
  "runtime/store/sql_triage.ts": {
    'asks("e")': "a constant condition",
    'ready("e")': "a constant condition",
    WAITED: "a constant expression",
    MOST_KINDS: "a constant number",
    MOST_ROWS: "a constant number",
  },
  "runtime/store/sql_page.ts": {
    LATER: "a constant condition",
    where: "a constant condition",
    "asks()": "a constant condition",
    'asks("e")': "a constant condition",
    "ready()": "a constant condition",
    'ready("e")': "a constant condition",
    "held()": "a constant condition",
    SHOWN_STATE: "a constant expression",
    FINAL: "a constant list of columns",
    MATCH: "a constant condition, with parameters in it",
    BEHIND: "a constant condition, with parameters in it",
    ZERO: "a constant",
    hot: "one of two constants, a list of columns",
    cold: "one of two constants, a list of columns",
    DEAD_NAME: "a constant expression",
    DEAD_MESSAGE: "a constant expression",
    only: "one of the constants given by those made of it",
    final: "one of the constants given by those made of it",
    table: "one of two constants",
    state: "one of the constants given below",
    from: "one of two constants",
    LIVE_COUNTS: "statements made of the constants above",
    DEAD_COUNT: "a statement made of the constants above",
    'place("envelope", only)': "made of constants above",
    'place("archive", final)': "made of constants above",
    'micros("bound.least")': "made of a constant",
    'micros("page.moment")': "made of a constant",
  },
  "runtime/store/sql_schedules.ts": { SCHEDULE: "a constant list of columns" },
  "runtime/store/migrate.ts": {
    LOCK: "a constant number",
    schema: "ours, or a name that extension.ts has checked",
    name: "a name of the same list",
    'parts.join("\\n")': "the texts above",
  },
  "runtime/store/roles.ts": { schema: "a name that extension.ts has checked" },
  "runtime/store/embedded/probe.ts": { DATABASE: "a constant" },
  "runtime/store/sql_receiver.ts": { conflict: "one of two constants" },
  "runtime/doctor/checks.ts": {
    table: "printed for those who repair, never run; the name comes from our own list of tables",
    pid: "printed for those who repair, never run; a number",
  },
};

/** Calls of `unsafe()` and `#run()` whose first argument is not a constant in capitals or a plain literal. */
const CALLS: Record<string, Record<string, string>> = {
  "runtime/store/postgres.ts": { text: "passes on what its callers give, which are checked here" },
  "runtime/store/postgres_publish.ts": { text: "passes on a constant, within a transaction of the caller's" },
  "runtime/store/migrate.ts": {
    message: "constants and a file of the migrations",
  },
  "runtime/store/statements.ts": { text: "passes on what its callers give, which are checked here" },
  "runtime/store/postgres_operator.ts": {
    free: "one of two constants, given by its callers",
    text: "one of two constants, given by its callers",
    "paused ? DEAD.PAUSE : DEAD.RESUME": "one of two constants",
  },
  "runtime/receiver/postgres_source.ts": {
    text: "passes on what its callers give: constants of sql_receiver.ts, and words of transactions",
  },
  "runtime/store/drift.ts": {
    'parts.join("\\n")': "constants, the migrations, and a name of hexadecimal digits in the place of theirs",
  },
  "runtime/store/postgres_look.ts": {
    statement: "one of two constants, in both places",
    "statementOf(filter.state)": "one of three constants",
  },
  "runtime/store/roles.ts": { "await rolesSql(own)": "the file roles.sql" },
  "runtime/store/one_transaction.ts": {
    statement: "one of `commit` and `rollback`",
    "...call": "passes on the statements of a task, which are its own",
  },
  "runtime/store/embedded/probe.ts": { "`create database ${DATABASE}`": "a constant" },
};

const SQL =
  /^\s*(-- |\(?select|insert into|update |delete from|with |create |alter |drop |grant |begin;|truncate )/i;

interface Found {
  file: string;
  line: number;
  text: string;
}

/** The expressions inside of every template that looks like SQL and is not a tagged one, which makes parameters. */
function expressions(file: string, source: string): Found[] {
  const found: Found[] = [];
  for (const match of source.matchAll(/(\w|>|\))?`((?:[^`\\]|\\.)*)`/g)) {
    if (match[1] !== undefined || !SQL.test(match[2])) continue;
    for (const [whole, text] of match[2].matchAll(/\$\{([^}]*)\}/g)) {
      const line = source.slice(0, match.index + match[0].indexOf(whole)).split("\n").length;
      found.push({ file, line, text: text.trim() });
    }
  }
  return found;
}

/** First arguments of calls that run a text. */
function runs(file: string, source: string): Found[] {
  // Elsewhere #run is somebody else's.
  if (!/^runtime\/store\//.test(file) && !source.includes(".unsafe(")) return [];
  return [...source.matchAll(/(?:\.unsafe|this\.#run)\(\s*([^,()]*(?:\([^()]*\))?[^,()]*)/g)].map((
    match,
  ) => ({
    file,
    line: source.slice(0, match.index).split("\n").length,
    text: match[1].trim(),
  }));
}

const isConstant = (text: string) =>
  /^([A-Z]+\.)?[A-Z][A-Z_0-9]*$/.test(text) || /^("[^"]*"|'[^']*'|`[^`$]*`)$/.test(text);

function violations(files: [string, string][]): string[] {
  const inside = files.flatMap(([file, source]) => expressions(file, source))
    .filter(({ file, text }) => ALLOWED[file]?.[text] === undefined);
  const given = files.flatMap(([file, source]) => runs(file, source))
    .filter(({ file, text }) => !isConstant(text) && CALLS[file]?.[text] === undefined);
  return [...inside, ...given].map(({ file, line, text }) => `${file}:${line} ${text}`);
}

function tree(): [string, string][] {
  const paths = globSync("runtime/**/*.ts", { cwd: ROOT }).sort();
  return paths.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]);
}

test("SQL in runtime/ is made of constants and parameters", () => {
  const files = tree();
  assert.ok(files.length > 50);
  assert.deepEqual(violations(files), []);
});

test("what the list allows is there: nothing on it is left over", () => {
  const files = tree();
  const inside = new Set(
    files.flatMap(([file, source]) => expressions(file, source)).map((f) => `${f.file} ${f.text}`),
  );
  const given = new Set(
    files.flatMap(([file, source]) => runs(file, source)).map((f) => `${f.file} ${f.text}`),
  );
  const names = (list: typeof ALLOWED) =>
    Object.entries(list).flatMap(([file, texts]) => Object.keys(texts).map((text) => `${file} ${text}`));
  assert.deepEqual(names(ALLOWED).filter((name) => !inside.has(name)), []);
  assert.deepEqual(names(CALLS).filter((name) => !given.has(name)), []);
});

test("the search finds what it is for", () => {
  const bad: [string, string][] = [
    ["runtime/store/a.ts", "sql.unsafe(`select * from t where name = '${name}'`);"],
    ["runtime/b.ts", "const text = `drop table ${schema}.x`;"],
    ["runtime/store/c.ts", 'sql.unsafe("select " + name);'],
    ["runtime/store/d.ts", "await this.#run(text);"],
  ];
  for (const one of bad) assert.equal(violations([one]).length > 0, true, one[1]);
  const good: [string, string][] = [
    ["runtime/store/a.ts", "sql`select * from t where name = ${name}`;"],
    ["runtime/store/b.ts", 'this.#run(SQL.PUBLISH, [1]); sql.unsafe("begin");'],
    ["runtime/store/c.ts", "const message = `Cannot select ${name}`;"],
  ];
  assert.deepEqual(violations(good), []);
});
