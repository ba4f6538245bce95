/**
 * All tests on the three runtimes; run by Deno: `deno task test`, with `--help` for its flags. The last line is
 * the count line; exit code 1 on any failure, or when no test ran.
 *
 * Each file runs in a process of its own on each runtime in turn, against PostgreSQL servers of this run.
 * What a file leaves running counts as a failure and is killed; servers and directories go at the end, also after
 * SIGINT or SIGTERM.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Runtime } from "./runner/binaries.ts";
import { findTestFiles, type TestFile } from "./runner/files.ts";
import { killLeftovers } from "./runner/leftovers.ts";
import { parseOptions, type RunOptions, USAGE } from "./runner/options.ts";
import { type FileResult, type Note, runFile } from "./runner/run_file.ts";
import { findRuntimes } from "./runner/runtimes.ts";
import { startServers } from "./runner/servers.ts";
import { progressLine, summarise } from "./runner/summary.ts";
import { makeWorkspace, type Workspace } from "./runner/workspace.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Run {
  id: string;
  options: RunOptions;
  files: TestFile[];
  binaries: Partial<Record<Runtime, string>>;
  env: Record<string, string>;
  workspace: Workspace;
  signal: AbortSignal;
  /** Filled as the files end, so that an interrupted run can still tell what it saw. */
  results: FileResult[];
}

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupt.abort(signal));
}
await main(process.argv.slice(2));

async function main(args: string[]): Promise<void> {
  if (args.includes("--help")) return console.log(USAGE);
  const results: FileResult[] = [];
  const problems: Note[] = [];
  const failed = (what: string) => (error: unknown) =>
    void problems.push({ name: `(${what})`, detail: error instanceof Error ? error.message : String(error) });
  await runAll(args, results, problems).catch(failed("the run"));
  if (interrupt.signal.aborted) failed("the run")(`interrupted by ${interrupt.signal.reason}`);
  const { text, ok } = summarise(results, problems, screenshots());
  console.log(text);
  // Not left to the event loop: nothing may come after the count line, nor keep the process.
  process.exit(ok ? 0 : 1);
}

/** Where the tests in a browser left pictures, if somebody has named a place and one ran. */
function screenshots(): string | undefined {
  const place = process.env.WEB_ARTIFACTS;
  return place !== undefined && existsSync(place) ? place : undefined;
}

async function runAll(args: string[], results: FileResult[], problems: Note[]): Promise<void> {
  const options = parseOptions(args);
  const files = findTestFiles(ROOT, options.files);
  const binaries = chooseRuntimes(options.only, problems);
  const id = `edge-${randomBytes(4).toString("hex")}`;
  const workspace = makeWorkspace();
  // Everything is awaited even on an interrupt: a server that is just starting can be stopped only when it is up.
  const servers = await startServers(workspace.dir, (line) => console.log(`server  ${line}`))
    .catch(async (error) => {
      if (!options.keep) await workspace.remove();
      throw error;
    });
  try {
    const env = { ...servers.env, TMPDIR: workspace.tmp, TEST_RUNTIMES: JSON.stringify(binaries) };
    const run = { id, options, files, binaries, env, workspace, signal: interrupt.signal, results };
    for (const runtime of options.only) await runOn(runtime, run);
  } finally {
    const note = (detail: string) => problems.push({ name: "(left running)", detail });
    for (const { pid, command } of await killLeftovers(id)) note(`process ${pid}: ${command}`);
    await servers.stop().catch((error) =>
      problems.push({ name: "(stop PostgreSQL)", detail: String(error) })
    );
    if (options.keep) console.log(`kept    ${workspace.dir}`);
    else await workspace.remove();
  }
}

/** All three are looked for whatever `only` says: a test on one may start nodes of the others. */
function chooseRuntimes(only: Runtime[], problems: Note[]): Partial<Record<Runtime, string>> {
  const binaries: Partial<Record<Runtime, string>> = {};
  for (
    const [name, found] of Object.entries(findRuntimes(ROOT)) as [
      Runtime,
      ReturnType<typeof findRuntimes>[Runtime],
    ][]
  ) {
    if (typeof found !== "string") {
      console.log(`runtime ${name} ${found.version} (${found.from}): ${found.path}`);
      binaries[name] = found.path;
    } else {
      console.log(`runtime ${name} is missing: ${found}`);
      if (only.includes(name)) problems.push({ name: `(runtime ${name})`, detail: found });
    }
  }
  return binaries;
}

async function runOn(runtime: Runtime, run: Run): Promise<void> {
  const binary = run.binaries[runtime];
  if (!binary) return;
  const waiting = run.files.filter((file) => file.runtimes.includes(runtime)).entries();
  mkdirSync(join(run.workspace.reports, runtime));
  // Loops that draw from one iterator: no more than `jobs` files at a time.
  const loop = async () => {
    for (const [i, file] of waiting) {
      if (run.signal.aborted) return;
      const report = join(run.workspace.reports, runtime, file.path.replaceAll("/", "_") + ".jsonl");
      const result = await runFile({
        runtime,
        binary,
        path: file.path,
        cwd: ROOT,
        env: run.env,
        report,
        runId: `${run.id}.${runtime}-${i}`,
        timeout: run.options.fileTimeout * 1000,
        signal: run.signal,
      });
      // A file cut short says nothing about itself.
      if (run.signal.aborted) return;
      run.results.push(result);
      tell(result);
    }
  };
  await Promise.all(Array.from({ length: run.options.jobs }, loop));
}

function tell(result: FileResult): void {
  console.log(progressLine(result));
  if (result.failed.length === 0) return;
  const first = ({ name, detail }: Note) => `✗ ${name}: ${detail.trim().split("\n", 1)[0]}`;
  const shown = [...result.failed.map(first), "--- its output ---", result.output.trim()].join("\n");
  console.log(shown.replace(/^/gm, "    | "));
}
