/**
 * A real node that has the managers, and runs every job by letting it be successful.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { TestContext } from "../../harness.ts";
import { type NodeProcess, startNode } from "../../processes.ts";
import type { Site } from "./site.ts";

const TASKS = fileURLToPath(new URL("tasks", import.meta.url));

/** Start it as n1; it is killed after the test. */
export async function nodeOf(t: TestContext, { url }: Site): Promise<NodeProcess> {
  const node = await startNode({ url, args: ["--node", "n1", "--workers", "4", "--tasks", TASKS] });
  t.after(async () => {
    node.kill("SIGKILL");
    await node.exited;
  });
  return node;
}
