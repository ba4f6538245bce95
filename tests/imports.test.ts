// @runtimes deno
/** The import-direction test: the house of ARCHITECTURE.md, section by section, as data. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "./harness.ts";
import { type Globs, matches, type Rules, violations } from "./imports/check.ts";
import { importsOf, runtimeGlobalsOf } from "./imports/scanner.ts";

const PURE: Globs = [
  "runtime/doctor/{finding,checks}.ts",
  "runtime/{envelope,batch,uuid,state,errors,clock,backoff,schedule,coalesce,json,redact,suggest,turn,version,verdicts,retry_policy,why,why_resources,cipher,packing,outcome,addresses,http_access,acts,sketch,recent,rates,traceparent,count_cap,resources}.ts",
];
const PORTS: Globs = [
  "runtime/store/{store,exchange,operator,rollup,log,look,on_call,triage}.ts",
  "runtime/broker/broker.ts",
  "runtime/platform/platform.ts",
];
const ADAPTERS: Globs = [
  "runtime/store/**",
  "!runtime/store/{store,exchange,operator,rollup,log,look,on_call,triage}.ts",
  "runtime/broker/{pg_notify,socket}.ts",
  "runtime/platform/{deno,bun,node}.ts",
];
const BEHAVIOUR: Globs = [
  "runtime/{dispatch,service,control}/**",
  "runtime/{client,client_parts,find,operator,publisher,hints,charts,follow,watcher,looker,waiting,transactional}.ts",
];
/** The bus and its subscribers, the settings, the definitions of tasks, the wire's formats: no adapter among them. */
const COMMON: Globs = [
  "runtime/{events,log,tally,metrics,tracing,publish_span,config,scheduling,task,registry}.ts",
  "runtime/broker/{channels,wire,chunks}.ts",
];
const COMPOSERS: Globs = [
  "runtime/{node,node_works,node_http,node_observe,connect,extension}.ts",
  "runtime/doctor/doctor.ts",
  "runtime/receiver/start.ts",
];
/** What stands at the door of the runtime for HTTP and the command line. */
const DOOR: Globs = [
  "runtime/{client,node,connect,config,admin}.ts",
  "runtime/doctor/doctor.ts",
  "runtime/receiver/start.ts",
];
const QUIET_BUILTINS = ["node:buffer", "node:crypto", "node:path", "node:url", "node:util"];

const RULES: Rules = {
  layers: [
    {
      rule: "pure files import pure files, zod, croner and built-ins without side effects",
      files: PURE,
      may: PURE,
      packages: ["zod", "croner", ...QUIET_BUILTINS],
    },
    {
      rule: "ports import pure files",
      files: PORTS,
      may: [...PURE, "runtime/store/{exchange,operator,log,look,on_call,triage}.ts"],
      packages: ["zod", ...QUIET_BUILTINS],
    },
    {
      rule: "behaviour imports pure files, ports, behaviour, events, log, config and task, of the pool types",
      files: BEHAVIOUR,
      may: [...PURE, ...PORTS, ...BEHAVIOUR, ...COMMON],
      mayTypes: ["runtime/pool/**"],
    },
    {
      rule:
        "http/ speaks through client, config, admin, the bus and pure files, and listens through the platform",
      files: ["runtime/http/**"],
      may: ["runtime/{client,config,admin,events}.ts", "runtime/platform/platform.ts", ...PURE],
      mayTypes: [
        "runtime/task.ts",
        "runtime/control/**",
        "runtime/{store/store,store/operator,store/look,looker}.ts",
      ],
      ownRoom: true,
    },
    {
      rule: "receiver/ takes from its sources and writes by statements; start.ts puts it together",
      files: ["runtime/receiver/**", "!runtime/receiver/start.ts"],
      may: [
        ...PURE,
        "runtime/broker/{broker,channels,wire}.ts",
        "runtime/control/control.ts",
        "runtime/service/service.ts",
        "runtime/{events,metrics}.ts",
        "runtime/platform/process_identity.ts",
        "runtime/store/{connection,connect_once,statements,sql_receiver}.ts",
      ],
      packages: ["ioredis", "node:os", "node:process"],
      ownRoom: true,
    },
    {
      rule: "cli/ speaks through client, node, connect, config, admin, the bus, the log and pure files",
      files: ["cli/**"],
      may: [...DOOR, ...PURE, "runtime/{events,log,systemd,extension}.ts"],
      mayTypes: [
        "runtime/task.ts",
        "runtime/control/**",
        "runtime/receiver/figures.ts",
        "runtime/store/look.ts",
      ],
      ownRoom: true,
    },
    {
      rule: "tasks import edge-dispatcher, what extensions are made of, and one another",
      files: ["tasks/**"],
      may: ["mod.ts", "runtime/http/view/kit.ts", "cli/kit.ts"],
      ownRoom: true,
    },
  ],
  owners: [
    {
      package: "postgres",
      files: ["runtime/store/**", "runtime/broker/pg_notify.ts"],
      types: ["runtime/{connect,task}.ts"],
    },
    { package: "hono", files: ["runtime/http/**"] },
    { package: "@hono/zod-openapi", files: ["runtime/http/api/**"] },
    { package: "prom-client", files: ["runtime/metrics.ts"] },
    {
      package: "@opentelemetry/api",
      files: ["runtime/{publish_span,node_spans}.ts"],
      types: ["runtime/{publisher,tracing,node_works}.ts"],
    },
    { package: "@opentelemetry/sdk-trace", files: ["runtime/tracing_sdk.ts"] },
    { package: "ioredis", files: ["runtime/receiver/redis_source.ts", "tasks/jobs/run/event_stores.ts"] },
    { package: "@std/cli", files: ["cli/args.ts"] },
    { package: "nodemailer", files: ["tasks/notifications/channels/email.ts"] },
  ],
  adapters: ADAPTERS,
  composers: COMPOSERS,
  runtimeGlobals: ["runtime/platform/**"],
  acyclic: { files: ["runtime/**"], types: true },
  maxLines: { files: ["runtime/**", "cli/**"], lines: 400 },
  // The worker's cold start is the cost of every slot. Lines of code, without comments; 240 of them lead the console and
  // the standard output and error to the attempt, which must be done before a task can print; 80 lay the ends of attempts where the host fetches them; 50 look for files where `node:fs` would cost more.
  budget: { file: "runtime/pool/worker.ts", lines: 1_390 },
  late: ["mod.ts", "runtime/**", "cli/**/*.ts", "tasks/extension.ts"],
  aliases: {
    "edge-dispatcher": "mod.ts",
    "edge-dispatcher/view": "runtime/http/view/kit.ts",
    "edge-dispatcher/command": "cli/kit.ts",
  },
};

const ROOT = fileURLToPath(new URL("..", import.meta.url));

function readTree(): Map<string, string> {
  const paths = globSync(["{runtime,cli,tasks}/**/*.{ts,mjs,js}", "mod.ts"], { cwd: ROOT }).sort();
  return new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));
}

test("the tree keeps to the directions of its imports", () => {
  const found = violations(readTree(), RULES);
  assert.equal(found.length, 0, `${found.length} violations:\n${found.join("\n")}`);
});

function check(files: Record<string, string>): string[] {
  return violations(new Map(Object.entries(files)), RULES);
}

test("violations() reports what each layer must not import", () => {
  const breaches: Record<string, string> = {
    "runtime/uuid.ts": `import { log } from "./log.ts";`,
    "runtime/state.ts": `import "node:fs";`,
    "runtime/store/store.ts": `export type { Log } from "../log.ts";`,
    "runtime/dispatch/settler.ts": `const x = await import("../store/postgres.ts" as string);`,
    "runtime/client.ts": `import { Pool } from "./pool/pool.ts";`,
    "runtime/http/api.ts": `import { read } from "../store/sql.ts";`,
    "cli/main.ts": `import { sql } from "../runtime/store/sql.ts";`,
    "tasks/system/purge.ts": `import { task } from "../../runtime/task.ts";`,
    "runtime/control/control.ts": `import postgres from "postgres";`,
    "runtime/events.ts": `import { Hono } from "npm:hono@4/tiny";`,
    "cli/io.ts": `import { parseArgs } from "@std/cli/parse-args";`,
    "runtime/connect.ts": `import postgres from "postgres";`,
    "runtime/log.ts": `console.log(globalThis.Deno?.pid);`,
    "runtime/pool/worker.ts": `import { z } from "zod";`,
    "runtime/receiver/writer.ts": `import "../store/sql.ts";`,
    "runtime/other/other.ts": `import "../store/sql.ts"; import { open } from "../platform/deno.ts";`,
    "runtime/config.ts": "\n".repeat(401),
    "runtime/node.ts": `await import("./metrics.ts");`,
  };
  for (const [path, text] of Object.entries(breaches)) {
    const found = check({ [path]: text });
    assert.equal(found.length, 1, `${path}: ${found.join("\n") || "nothing found"}`);
    assert.ok(found[0].startsWith(path), found[0]);
  }
});

test("violations() lets pass what is allowed", () => {
  assert.deepEqual(
    check({
      "runtime/uuid.ts": `import { z } from "zod"; import { randomFillSync } from "node:crypto";`,
      "runtime/dispatch/dispatcher.ts":
        `import type { Pool } from "../pool/pool.ts"; import type { Store } from "../store/store.ts";`,
      "runtime/connect.ts":
        `import type postgres from "postgres"; import "./store/sql.ts"; import "./platform/bun.ts";`,
      "runtime/store/postgres.ts": `import postgres from "postgres"; import { claim } from "./sql.ts";`,
      "runtime/platform/deno.ts": `export const pid = Deno.pid;`,
      "runtime/admin.ts": `import { migrate } from "./store/migrate.ts";`,
      "runtime/http/app.ts": `import { Hono } from "hono"; import { page } from "./view/page.ts";`,
      "cli/args.ts": `const std = await import("@std/cli/parse-args");`,
      "tasks/examples/add.ts": `import { task } from "edge-dispatcher";`,
      "runtime/pool/worker.ts": `import type { z } from "zod"; import { read } from "./protocol.ts";`,
    }),
    [],
  );
});

test("violations() finds cycles and what the worker loads in the end", () => {
  const cyclic = check({
    "runtime/a.ts": `import "./b.ts";`,
    "runtime/b.ts": `import type { C } from "./c.ts";`,
    "runtime/c.ts": `export * from "./a.ts";`,
  });
  assert.deepEqual(cyclic, ["import cycle: runtime/a.ts -> runtime/b.ts -> runtime/c.ts -> runtime/a.ts"]);
  const heavy = check({
    "runtime/pool/worker.ts": `import "./protocol.ts";`,
    "runtime/pool/protocol.ts": `import "./deep.ts";` + "\nf();\n// c".repeat(500),
    "runtime/pool/deep.ts": `import x from "croner";` + "\nf();\n\n".repeat(900),
  }).filter((violation) => !violation.includes("no more than"));
  assert.equal(heavy.length, 2);
  assert.match(heavy[0], /^runtime\/pool\/deep\.ts:1 imports croner: /);
  assert.match(heavy[1], /loads 1403 lines of code/);
});

test("importsOf() tells static, type and dynamic imports and their lines", () => {
  const source = [
    `import a, { type b } from "a"; import "side";`,
    `import type { T } from 'types';`,
    `export {`,
    `  x,`,
    `} from "./x.ts";`,
    `export * as y from "./y.ts"; export type { Z } from "./z.ts";`,
    `const lazy = await import("./lazy.ts"), data = import(\`./d.json\`, { with: { type: "json" } });`,
    `type Q = typeof import("q"), late = await import("./late.ts" as string), kept = import("./k.ts" as Kept);`,
  ].join("\n");
  assert.deepEqual(importsOf(source).map(({ specifier, kind, line }) => `${line} ${kind} ${specifier}`), [
    "1 static a",
    "1 static side",
    "2 type types",
    "3 static ./x.ts",
    "6 static ./y.ts",
    "6 type ./z.ts",
    "7 dynamic ./lazy.ts",
    "7 dynamic ./d.json",
    "8 type q",
    "8 late ./late.ts",
  ]);
});

test("importsOf() is not fooled by comments, strings, regular expressions and computed specifiers", () => {
  const source = [
    `// import "comment";`,
    `/* import "block"; */ /** @example import x from "doc"; */`,
    `const text = 'import "single"', other = "import \\"double\\"";`,
    'const template = `import "template" ${nested(`import "inner"`, { a: {} })} import "rest"`;',
    `const pattern = /import "regexp" \\/\\/ ['"]/; const half = 4 / 2; // import "after division";`,
    `await import(name); await import("./" + name); await import(\`./\${name}.ts\`);`,
    `loader.import("method"); const url = import.meta.url;`,
    `import real from "real"; // the only one`,
  ].join("\n");
  assert.deepEqual(importsOf(source), [{ specifier: "real", kind: "static", line: 8 }]);
});

test("importsOf() reads the code inside of a template's expression", () => {
  assert.equal(importsOf('const x = `a ${await import("b")} c`;')[0].specifier, "b");
});

test("runtimeGlobalsOf() finds the names in code only", () => {
  const lines = [
    `Deno.exit();`,
    `// Deno.exit() Bun.x`,
    `const label = "Deno.version", isDeno = "Deno" in globalThis;`,
    "const where = `on ${Bun.version} Deno.x`;",
    `const table = { Bun: 1, Deno: 2 }, DenoLike = myBun.x;`,
    `const { serve } = Deno;`,
  ];
  assert.deepEqual(runtimeGlobalsOf(lines.join("\n")), [
    { name: "Deno", line: 1 },
    { name: "Bun", line: 4 },
    { name: "Deno", line: 6 },
  ]);
});

test("matches() takes away what a glob with ! matches", () => {
  assert.equal(matches("runtime/store/sql.ts", ADAPTERS), true);
  assert.equal(matches("runtime/store/store.ts", ADAPTERS), false);
});
