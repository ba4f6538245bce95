/**
 * Does what waits slow down the claiming? Envelopes that are claimed and settled, without a pool, out of backlogs of
 * different sizes; each burst takes as many, and as many are written again behind it.
 *
 * @module
 */
import postgres from "postgres";
import type { Runtime } from "../tests/harness/runtimes.ts";
import { DISPATCHER, fill, GRAPHILE, keepModel, PG_BOSS, type Table } from "./claims/tables.ts";
import type { Actor } from "./processes.ts";
import { median, OURS, type Question, rounded, type Row, spread } from "./question.ts";
import type { Site } from "./site.ts";

/** What a burst takes: less than the smallest backlog has. */
const BURST = 5_000;

interface Peer {
  name: string;
  table: Table;
  url: string;
  sql: postgres.Sql;
  programs: { runtime: Runtime; program: Actor }[];
}

/** A burst: a few more than asked may be done. */
interface Drained {
  done: number;
  perSecond: number;
}

interface Result {
  peer: string;
  runtime: Runtime;
  backlog: string;
  rates: number[];
}

export default {
  question: "envelopes/s that are claimed and settled in batches, with so many waiting",
  async run(site) {
    const sizes = site.quick ? [10_000, 100_000] : [10_000, 100_000, 1_000_000, 10_000_000];
    const large = site.quick ? 100_000 : 1_000_000;
    const results = [
      ...await ladder(site, sizes),
      ...await scenario(
        site,
        [await ours(site, 50)],
        `${text(large)} in 50 queues`,
        async ({ sql, table }) => {
          await fill(sql, table, large, { queue: "'q' || g % 50" });
        },
      ),
      ...await scenario(
        site,
        await everybody(site),
        `${text(large)}, 90 % due later`,
        async ({ sql, table }) => {
          // In front of what is due.
          await fill(sql, table, large * 0.9, table.later);
          await fill(sql, table, large * 0.1);
        },
      ),
    ];
    return Object.fromEntries(site.runtimes.map((runtime) => [runtime, rowsOf(results, runtime)]));
  },
} satisfies Question;

async function everybody(site: Site): Promise<Peer[]> {
  return [
    await ours(site),
    await peer(site, "graphile-worker", GRAPHILE, ["node"], "programs/graphile.ts"),
    await peer(site, "pg-boss", PG_BOSS, ["node"], "programs/pg_boss.ts"),
  ];
}

function ours(site: Site, queues = 1): Promise<Peer> {
  const names = queues === 1 ? ["default"] : Array.from({ length: queues }, (_, i) => `q${i}`);
  return peer(site, OURS, DISPATCHER, site.runtimes, "programs/store.ts", { queues: names });
}

async function peer(
  site: Site,
  name: string,
  table: Table,
  runtimes: readonly Runtime[],
  module: string,
  more: object = {},
): Promise<Peer> {
  const url = await site.database();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const programs: Peer["programs"] = [];
  for (const runtime of runtimes) {
    const program = site.actor(module, { url, ...more }, runtime);
    programs.push({ runtime, program });
    await program.call("publish", programs.length === 1 ? 1 : 0);
  }
  await keepModel(sql, table);
  return { name, table, url, sql, programs };
}

/** The same backlogs, grown from step to step. */
async function ladder(site: Site, sizes: number[]): Promise<Result[]> {
  const peers = await everybody(site);
  const results: Result[] = [];
  let size = 0;
  for (const next of sizes) {
    for (const { sql, table, url } of peers) {
      await fill(sql, table, next - size);
      await site.settle(url);
    }
    results.push(...await rounds(site, peers, `${text(next)} waiting`));
    size = next;
  }
  await close(site, peers);
  return results;
}

async function scenario(
  site: Site,
  peers: Peer[],
  backlog: string,
  prepare: (peer: Peer) => Promise<void>,
): Promise<Result[]> {
  for (const peer of peers) {
    await prepare(peer);
    await site.settle(peer.url);
  }
  const results = await rounds(site, peers, backlog);
  await close(site, peers);
  return results;
}

async function rounds(site: Site, peers: Peer[], backlog: string): Promise<Result[]> {
  const results = peers.flatMap(({ name, programs }) =>
    programs.map(({ runtime }): Result => ({ peer: name, runtime, backlog, rates: [] }))
  );
  // The first is not counted: engines compile, servers plan.
  for (let round = 0; round <= (site.quick ? 3 : 7); round++) {
    let place = 0;
    for (const { sql, table, programs } of peers) {
      for (const { program } of programs) {
        const { done, perSecond } = await program.call<Drained>("drain", BURST);
        await fill(sql, table, done, backlog.includes("queues") ? { queue: "'q' || g % 50" } : {});
        if (round > 0) results[place].rates.push(perSecond);
        place++;
      }
    }
  }
  for (const { peer, runtime, rates } of results) {
    site.tell(`${backlog}: ${peer} (${runtime}): ${median(rates).toFixed(0)}/s`);
  }
  return results;
}

async function close(site: Site, peers: Peer[]): Promise<void> {
  for (const { url, sql, programs } of peers) {
    for (const { program } of programs) {
      await program.call("close");
      await program.stop();
    }
    await sql.end();
    await site.drop(url);
  }
}

function rowsOf(results: Result[], runtime: Runtime): Row[] {
  const first = new Map<string, number>();
  return results.filter((result) => result.peer !== OURS || result.runtime === runtime)
    .map(({ peer, backlog, rates }) => {
      const rate = median(rates);
      if (!first.has(peer)) first.set(peer, rate);
      return {
        peer,
        backlog,
        ...spread("per_second", rates),
        share_of_first: rounded(rate / first.get(peer)!),
      };
    });
}

function text(count: number): string {
  return count.toLocaleString("en");
}
