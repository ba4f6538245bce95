import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface Leftover {
  pid: number;
  command: string;
}

/** How long a process may take to notice that the test which started it has ended. */
const GRACE = 2_000;

/**
 * List the processes whose environment has TEST_RUN_ID=`id` or an id below it (`id.…`). Environment, not parentage:
 * a process whose parent died has another parent. Linux only; elsewhere it finds none.
 */
export function findLeftovers(id: string): Leftover[] {
  if (process.platform !== "linux") return [];
  const found: Leftover[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${entry}/environ`, "utf8").split("\0");
      const own = environment.find((line) => line.startsWith("TEST_RUN_ID="))?.slice("TEST_RUN_ID=".length);
      if (own !== id && !own?.startsWith(`${id}.`)) continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0").join(" ").trim();
      found.push({ pid: Number(entry), command });
    } catch {
      // It has ended meanwhile, or is another user's.
    }
  }
  return found;
}

/** Kill what is left of `id`, and give what had not ended by itself within the grace (0: not waited for). */
export async function killLeftovers(id: string, grace = GRACE): Promise<Leftover[]> {
  const deadline = performance.now() + grace;
  let left = findLeftovers(id);
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(50);
    left = findLeftovers(id);
  }
  // Again and again, for one may start another between the look and the kill; bounded, for none can be immortal.
  for (let round = 0; round < 20; round++) {
    const rest = round === 0 ? left : findLeftovers(id);
    if (rest.length === 0) break;
    for (const { pid } of rest) kill(pid);
    await sleep(25);
  }
  return left;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
