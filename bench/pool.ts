/**
 * What does a call cost, through the pool alone? Ours goes through a host process, whose threads can be killed, and
 * keeps deadlines; the others call threads of their own process, which is what they are made for. They get an
 * AbortSignal a call, with which they stop a thread, and are measured without, too.
 *
 * @module
 */
import { type Contestant, contestant } from "./contestant.ts";
import { type Question, type Row, spread } from "./question.ts";
import { rounded } from "./question.ts";
import type { Runtime } from "./runtimes.ts";
import type { Site } from "./site.ts";

interface Entrant {
  peer: string;
  runtime: Runtime;
  module: string;
  settings: Record<string, unknown>;
  inFlight: number;
}

interface Measured extends Entrant {
  rates: number[];
  latencies: number[];
}

const SLOTS = 4;
const IN_FLIGHT = [64, 2_000];

export default {
  question: "tasks/s of a pool of 4 that do nothing, and microseconds of a call when there is no other",
  async run(site) {
    const entrants: Measured[] = [];
    const enter = (entrant: Entrant) => entrants.push({ ...entrant, rates: [], latencies: [] });
    for (const runtime of site.runtimes) {
      enter({
        peer: "edge-dispatcher",
        runtime,
        module: "./pool/ours.ts",
        settings: { slots: SLOTS },
        inFlight: 0,
      });
    }
    for (const tried of candidates()) {
      for (const signals of [true, false]) enter(await bestOf(site, tried, signals));
    }
    for (let round = 1; round <= (site.quick ? 3 : 7); round++) {
      for (const entrant of entrants) await measure(entrant, site);
      site.tell(`round ${round}`);
    }
    return Object.fromEntries(site.runtimes.map((runtime) => [runtime, rowsOf(runtime, entrants)]));
  },
} satisfies Question;

/** What the libraries' documentation offers, by library; the best of each takes part. */
function candidates(): Entrant[][] {
  const shares = [1, 16];
  const entrant = (peer: string, module: string, settings: Record<string, unknown>) =>
    IN_FLIGHT.map((inFlight) => ({ peer, runtime: "node" as const, module, settings, inFlight }));
  const tinypool = (runtime: string) =>
    shares.flatMap((concurrentTasksPerWorker) =>
      entrant(`tinypool ${runtime}`, "./pool/tinypool.ts", { runtime, concurrentTasksPerWorker })
    );
  return [
    ["sync", "async", "disabled"].flatMap((atomics) =>
      shares.flatMap((concurrentTasksPerWorker) =>
        entrant("piscina", "./pool/piscina.ts", { atomics, concurrentTasksPerWorker })
      )
    ),
    tinypool("worker_threads"),
    tinypool("child_process"),
    shares.flatMap((concurrency) => entrant("poolifier", "./pool/poolifier.ts", { concurrency })),
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
    const program = start(entrant);
    const rate = await rateOf(program, entrant, site.quick ? 0.4 : 1);
    await program.end();
    if (!best || rate > best.rate) best = { entrant, rate };
  }
  site.tell(`${best!.entrant.peer}: ${settingsText(best!.entrant)}`);
  return best!.entrant;
}

function start({ runtime, module, settings }: Entrant): Contestant {
  return contestant(runtime, module, settings);
}

/** After as long again, in which engines compile and pools learn how long tasks take. */
async function rateOf(program: Contestant, { inFlight }: Entrant, seconds: number): Promise<number> {
  await program.ask("rate", { seconds, inFlight });
  return (await program.ask("rate", { seconds, inFlight })).perSecond;
}

async function measure(entrant: Measured, site: Site): Promise<void> {
  const program = start(entrant);
  entrant.rates.push(await rateOf(program, entrant, site.quick ? 1 : 2));
  const calls = site.quick ? 500 : 2_000;
  entrant.latencies.push((await program.ask("latency", { calls })).p50);
  await program.end();
}

/** Ours on one runtime beside all others, best first. */
function rowsOf(runtime: Runtime, entrants: Measured[]): Row[] {
  const isOurs = ({ peer }: Entrant) => peer === "edge-dispatcher";
  const row = (entrant: Measured): Row => ({
    peer: entrant.peer,
    ...spread("per_second", entrant.rates),
    ...spread("p50_us", entrant.latencies),
    settings: settingsText(entrant),
  });
  const ours = row(entrants.find((entrant) => isOurs(entrant) && entrant.runtime === runtime)!);
  const peers = entrants.filter((entrant) => !isOurs(entrant)).map(row)
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
