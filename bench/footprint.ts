/**
 * What does an envelope cost the database, from its publishing to its end? Bytes of WAL, rows that VACUUM must remove
 * and statements. graphile-worker forgets what is done, pg-boss keeps it where it was, ours moves it to the archive.
 *
 * @module
 */
import type { Runtime } from "../tests/harness/runtimes.ts";
import { Counters, type Difference } from "./footprint/counters.ts";
import { openLoad } from "./load.ts";
import { OURS, type Question, rounded, type Row, spread } from "./question.ts";
import { takeTurns } from "./rounds.ts";
import type { Site } from "./site.ts";

interface Entrant {
  peer: string;
  runtime: Runtime;
  url: string;
  counters: Counters;
  /** Publish and run so many, and leave nothing running. */
  work(count: number): Promise<void>;
}

export default {
  question: "bytes of WAL, dead rows and statements for an envelope that is published and run, in batches",
  async run(site) {
    const count = site.quick ? 5_000 : 20_000;
    const entrants: Entrant[] = [];
    for (const runtime of site.runtimes) entrants.push(await ours(site, runtime));
    entrants.push(await other(site, "graphile-worker", "programs/graphile.ts"));
    entrants.push(await other(site, "pg-boss", "programs/pg_boss.ts"));
    for (const { work, counters } of entrants) {
      await work(count);
      await counters.prepare();
    }
    const measured = await takeTurns(site, entrants, async ({ counters, work }) => {
      const before = await counters.look(true);
      await work(count);
      return await counters.between(before, await counters.look(false));
    });
    for (const [{ peer, runtime, counters }, rounds] of measured) {
      const { relations } = rounds.at(-1)!;
      const texts = relations.map(([name, bytes]) => `${name} ${Math.round(bytes / count)}`);
      site.tell(`${peer} (${runtime}), WAL bytes by relation: ${texts.join(", ")}`);
      await counters.close();
    }
    return Object.fromEntries(site.runtimes.map((runtime) => {
      const beside = [...measured].filter(([one]) => one.peer !== OURS || one.runtime === runtime);
      return [runtime, rowsOf(beside, count)];
    }));
  },
} satisfies Question;

async function ours(site: Site, runtime: Runtime): Promise<Entrant> {
  const url = await site.database();
  const work = async (count: number) => {
    const load = await openLoad(url);
    // From here on it counts.
    await load.drained();
    // As the others do: what is published waits for who runs it.
    await load.publish(count);
    const node = await site.node(url, "footprint", { runtime, tasks: "tasks" });
    await load.drained();
    await load.close();
    await node.stop();
  };
  return { peer: OURS, runtime, url, counters: new Counters(url), work };
}

async function other(site: Site, peer: string, module: string): Promise<Entrant> {
  const url = await site.database();
  const work = async (count: number) => {
    const program = site.actor(module, { url });
    await program.call("publish", count);
    await program.call("drain", count);
    await program.call("close");
    await program.stop();
  };
  return { peer, runtime: "node", url, counters: new Counters(url), work };
}

function rowsOf(measured: [Entrant, Difference[]][], count: number): Row[] {
  const rows = measured.map(([{ peer }, rounds]): Row => {
    const each = (name: string, value: (difference: Difference) => number) =>
      spread(name, rounds.map((round) => value(round) / count));
    return {
      peer,
      ...each("wal_bytes", ({ wal }) => wal),
      ...each("full_page_bytes", ({ fullPages }) => fullPages),
      ...each("dead_rows", ({ dead }) => dead),
      ...each("hot_updates", ({ hot }) => hot),
      ...each("statements", ({ statements }) => statements),
    };
  });
  const best = Math.min(...rows.slice(1).map((row) => Number(row.wal_bytes)));
  return rows.map((row) => ({ ...row, wal_over_best: rounded(Number(row.wal_bytes) / best) }));
}
