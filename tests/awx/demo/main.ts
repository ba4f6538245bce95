/**
 * `deno task demo [--once] [--seconds N] [--database-url URL]`: three nodes, a receiver and a dashboard; a workflow of
 * project update, inventory update, playbook and notification; a node that is killed in the middle of it, and what
 * becomes of that. Exit code 1 when it does not recover.
 *
 * With --once it ends when the story does; otherwise it stays, for a look at the dashboard, until Ctrl-C.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";
import { type Client, connect } from "../../../mod.ts";
import { MIGRATIONS } from "../../../tasks/jobs/model/migrations.ts";
import { tempDir } from "../../harness/temp_dir.ts";
import { makeSite, type SiteOptions } from "./site.ts";
import { setStage, type Stage } from "./stage.ts";
import { capacityOf, tell } from "./story.ts";

const { values } = parseArgs({
  options: {
    once: { type: "boolean", default: false },
    seconds: { type: "string", default: "10" },
    "database-url": { type: "string" },
  },
});
const begun = performance.now();
const say = (line: string) =>
  console.log(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`);

// Heard as often as it comes: a terminal tells the whole group, and who runs us may tell us once more.
const interrupted = new Promise<"interrupted">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve("interrupted"));
});

process.exit(await main());

async function main(): Promise<number> {
  const dir = tempDir();
  const ansible = hasAnsible();
  if (!ansible) {
    say("ansible-playbook is not here: the deployment is a shell command (apt-get install ansible-core)");
  }
  const stage = await setStage(dir, values["database-url"], say);
  const client = await connect({ databaseUrl: stage.url, migrations: MIGRATIONS });
  try {
    const end = await Promise.race([show(stage, client, { dir, ansible }), interrupted]);
    if (end === "interrupted") return 130;
    say("the release went through, though a node was killed under it");
    if (!values.once) {
      say(`look around at ${stage.dashboard}/jobs; Ctrl-C ends it`);
      await interrupted;
    }
    return 0;
  } catch (error) {
    say(`it did not recover: ${(error as Error).message}`);
    for (const node of stage.nodes) {
      console.log(`---- ${node.name}\n${node.stderr().split("\n").slice(-15).join("\n")}`);
    }
    return 1;
  } finally {
    await client.close();
    await stage.close();
  }
}

async function show(
  stage: Stage,
  client: Client,
  { dir, ansible }: Pick<SiteOptions, "dir" | "ansible">,
): Promise<void> {
  await capacityOf(client.database(), stage.nodes.length);
  say("all three nodes have told their capacity");
  // The first one has the dashboard that is shown; the others work.
  const workers = stage.nodes.slice(1).map(({ name }) => name);
  const { webhook } = stage;
  const workflow = await makeSite(client, {
    dir,
    seconds: Number(values.seconds),
    webhook,
    workers,
    ansible,
  });
  await tell(stage, client, workflow, say);
}

function hasAnsible(): boolean {
  try {
    execFileSync("ansible-playbook", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
