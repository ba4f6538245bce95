/**
 * What does a call cost, through the pool alone? Ours goes through a host process, whose threads can be killed, and
 * keeps deadlines; the others call threads of their own process, which is what they are made for. They get an
 * AbortSignal a call, with which they stop a thread, and are measured without, too.
 *
 * @module
 */
import type { Runtime } from "../tests/harness/runtimes.ts";
import type { Actor } from "./processes.ts";
import { OURS, type Question, rounded, type Row, spread } from "./question.ts";
import { takeTurns } from "./rounds.ts";
import type { Site } from "./site.ts";

interface Entrant {
  peer: string;
  runtime: Runtime;
  module: string;
  settings: Record<string, unknown>;
  inFlight: number;
}

interface Figures {
  rate: number;
  latency: number;
}

const SLOTS = 4;
const IN_FLIGHT = [64, 2_000];

export default {
  question: "tasks/s of a pool of 4 that do nothing, and microseconds of a call when there is no other",
  async run(site) {
    const entrants = site.runtimes.map((runtime): Entrant => ({
      peer: OURS,
      runtime,
      module: "pool/ours.ts",
      settings: { slots: SLOTS },
      inFlight: 0,
    }));
    for (const tried of candidates()) {
      for (const signals of [true, false]) entrants.push(await bestOf(site, tried, signals));
    }
    const rounds = site.quick ? 3 : 7;
    const measured = await takeTurns(site, entrants, (entrant) => measure(site, entrant), rounds);
    return Object.fromEntries(site.runtimes.map((runtime) => [runtime, rowsOf(runtime, measured)]));
  },
} satisfies Question;

/** What the libraries' documentation offers, by library; the best of each takes part. */
function candidates(): Entrant[][] {
  const shares = [1, 16];
  const entrant = (peer: string, module: string, settings: Record<string, unknown>) =>
    IN_FLIGHT.map((inFlight) => ({ peer, runtime: "node" as const, module, settings, inFlight }));
  const tinypool = (runtime: string) =>
    shares.flatMap((concurrentTasksPerWorker) =>
      entrant(`tinypool ${runtime}`, "pool/tinypool.ts", { runtime, concurrentTasksPerWorker })
    );
  return [
    ["sync", "async", "disabled"].flatMap((atomics) =>
      shares.flatMap((concurrentTasksPerWorker) =>
        entrant("piscina", "pool/piscina.ts", { atomics, concurrentTasksPerWorker })
      )
    ),
    tinypool("worker_threads"),
    tinypool("child_process"),
    shares.flatMap((concurrency) => entrant("poolifier", "pool/poolifier.ts", { concurrency })),
  ];
}

async function bestOf(site: Site, tried: Entrant[], signals: boolean): Promise<Entrant> {
  let best: { entrant: Entrant; rate: number } | undefined;
  for (const { peer, settings, ...more } of tried) {
    const entrant = {
      peer: signals ? peer : `${peer}, no signal`,
      settings: { ...settings, signals },
      ...more,
    };
    const program = site.actor(entrant.module, entrant.settings, entrant.runtime);
    const rate = await rateOf(program, entrant, site.quick ? 0.4 : 1);
    await program.stop();
    if (!best || rate > best.rate) best = { entrant, rate };
  }
  site.tell(`${best!.entrant.peer}: ${settingsText(best!.entrant)}`);
  return best!.entrant;
}

/** After as long again, in which engines compile and pools learn how long tasks take. */
async function rateOf(program: Actor, { inFlight }: Entrant, seconds: number): Promise<number> {
  await program.call("rate", seconds, inFlight);
  return await program.call<number>("rate", seconds, inFlight);
}

async function measure(site: Site, entrant: Entrant): Promise<Figures> {
  const program = site.actor(entrant.module, entrant.settings, entrant.runtime);
  const rate = await rateOf(program, entrant, site.quick ? 1 : 2);
  const latency = await program.call<number>("latency", site.quick ? 500 : 2_000);
  await program.stop();
  return { rate, latency };
}

/** Ours on one runtime beside all others, best first. */
function rowsOf(runtime: Runtime, measured: Map<Entrant, Figures[]>): Row[] {
  const row = ([entrant, rounds]: [Entrant, Figures[]]): Row => ({
    peer: entrant.peer,
    ...spread("per_second", rounds.map(({ rate }) => rate)),
    ...spread("p50_us", rounds.map(({ latency }) => latency)),
    settings: settingsText(entrant),
  });
  const all = [...measured];
  const ours = row(all.find(([one]) => one.peer === OURS && one.runtime === runtime)!);
  const peers = all.filter(([{ peer }]) => peer !== OURS).map(row)
    .sort((a, b) => Number(b.per_second) - Number(a.per_second));
  return [ours, ...peers].map((each) => ({
    ...each,
    ours_over_it: rounded(Number(ours.per_second) / Number(each.per_second)),
  }));
}

function settingsText({ settings, inFlight, runtime }: Entrant): string {
  const { signals: _, ...told } = settings;
  const named = Object.entries(told).map(([name, value]) => `${name} ${value}`);
  return [runtime, ...named, inFlight > 0 ? `${inFlight} in flight` : "as much as it has room for"].join(
    ", ",
  );
}
