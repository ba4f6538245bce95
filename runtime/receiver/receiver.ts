/**
 * The callback receiver: takes job events from a source and writes them in batches.
 *
 * ```text
 *  each worker:  take ─► write ─► done ─► take …        one gathers while the others write
 *                          │        │
 *       database away ─────┘        └───── source away      what is held is kept, and tried again
 *
 *  running ── stop() ──► draining: take no more, write what is held ──► stopped
 *                                   │ patience ends: what is held stays with the source
 * ```
 *
 * | what can fail | what happens |
 * |---|---|
 * | an event cannot be written | it is set aside with the reason, the others are written (`writer.ts`) |
 * | the database is away | each worker keeps its one batch and tries again; the rest stays with the source |
 * | the source is away | nothing is taken; what is written is forgotten there when it is back |
 * | the receiver is killed anywhere | the source has what was not committed, or not done; rows are known by their keys |
 * | an end comes before its events | it is noted and waits for them (`streams.ts`) |
 * | two receivers write the same events | the second changes nothing |
 * | a statement is refused for another reason than its values (rights, tables) | as if the database were away: nothing is dropped |
 *
 * @module
 */
import { type Clock, jitter } from "../clock.ts";
import { errorLine } from "../errors.ts";
import type { Events } from "../events.ts";
import { Service, type Work } from "../service/service.ts";
import type { Figures } from "./figures.ts";
import type { Claim, Source } from "./source.ts";
import { streams } from "./streams.ts";
import { writeLines } from "./writer.ts";

/** What a receiver is made of. */
export interface ReceiverParts {
  source: Source;
  run: Claim["run"];
  events: Events;
  clock: Clock;
  figures: Figures;
  workers: number;
  /** Seconds that the end of a stream waits for its events. */
  patience?: number;
  /** More that is done again and again, such as reports. */
  works?: Work[];
}

const RETRY_MS = { first: 100, most: 5_000 };
/** A third of a lease of the source. */
const TEND_MS = 5_000;

/** What services may take to end. */
const END_MS = 2_000;

type Side = "database" | "source";

/** A running receiver. */
export class Receiver {
  readonly #parts: ReceiverParts;
  readonly #streams: Service;
  readonly #services: Service[];
  readonly #stop = new AbortController();
  readonly #hurry = new AbortController();
  // What is away, so that it is told once when it goes and once when it is back.
  readonly #away = new Set<Side>();
  #working: Promise<unknown> = Promise.resolve();

  constructor(parts: ReceiverParts) {
    this.#parts = parts;
    const serve = (work: Work) => new Service(work, parts.clock, parts.events);
    this.#streams = serve(streams(parts));
    this.#services = [this.#streams, serve(this.#tending()), ...(parts.works ?? []).map(serve)];
  }

  /** Begin to take. */
  async start(): Promise<void> {
    // What a dead one held comes before what came later.
    await this.#tend();
    for (const service of this.#services) service.start();
    this.#working = Promise.all(Array.from({ length: this.#parts.workers }, () => this.#work()));
  }

  /** What does not answer now. */
  get away(): ReadonlySet<Side> {
    return this.#away;
  }

  get draining(): boolean {
    return this.#stop.signal.aborted;
  }

  /** The loop that hangs, if one does. @param bound Milliseconds. */
  stuck(bound: number): string | undefined {
    return this.#services.find((service) => service.busyMs > bound)?.name;
  }

  /** Take no more, write what is held until the patience ends, and let go of the rest. */
  async stop(patience: AbortSignal): Promise<void> {
    this.#stop.abort();
    const hurry = () => this.#hurry.abort();
    if (patience.aborted) hurry();
    patience.addEventListener("abort", hurry, { once: true });
    await this.#working;
    // The last end that was noted here.
    if (!this.#hurry.signal.aborted && !this.#away.has("database")) {
      await this.#unlessHurried(this.#streams.kick());
    }
    const ended = Promise.all(this.#services.map((service) => service.stop()));
    await Promise.race([ended, this.#parts.clock.sleep(END_MS)]);
    await this.#parts.source.close();
  }

  async #work(): Promise<void> {
    const { source, clock, figures } = this.#parts;
    for (let failures = 0; !this.draining;) {
      try {
        const claim = await source.take(this.#stop.signal);
        this.#back("source");
        failures = 0;
        if (!claim) continue;
        figures.popped += claim.texts.length;
        figures.inMemory += claim.texts.length;
        try {
          await this.#settle(claim);
        } finally {
          figures.inMemory -= claim.texts.length;
        }
      } catch (error) {
        this.#lost("source", error);
        await clock.sleep(rest(failures++), this.#stop.signal);
      }
    }
  }

  /** Write what a claim holds and tell the source; returns when either is done, or the patience is at its end. */
  async #settle(claim: Claim): Promise<void> {
    const { clock, figures } = this.#parts;
    const written = await this.#insist("database", claim, () => writeLines(claim.texts, claim.run));
    if (!written) return await this.#letGo(claim);
    // A queue of the database's own is left with the commit: until then nothing is saved.
    const side = claim.lasting ? "source" : "database";
    const done = await this.#insist(side, claim, () => claim.done().then(() => true));
    if (!done && !claim.lasting) return await this.#letGo(claim);
    figures.wrote(written, clock.now());
    // Not awaited: it waits for no worker, and no worker for it.
    if (written.ended) void this.#streams.kick();
  }

  /** Try until it succeeds; undefined when there is nothing to try again, or no time. */
  async #insist<T>(side: Side, claim: Claim, attempt: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 0;; failures++) {
      try {
        const value = await this.#unlessHurried(attempt());
        if (value !== undefined) this.#back(side);
        return value;
      } catch (error) {
        this.#lost(side, error);
        await this.#parts.clock.sleep(rest(failures), this.#hurry.signal);
        if (!claim.lasting || this.#hurry.signal.aborted) return undefined;
      }
    }
  }

  /** Undefined when the patience ends before: what is asked of a database that hangs has its own, longer bound. */
  async #unlessHurried<T>(attempt: Promise<T>): Promise<T | undefined> {
    const { signal } = this.#hurry;
    const hurried = Promise.withResolvers<undefined>();
    const hurry = () => hurried.resolve(undefined);
    signal.addEventListener("abort", hurry);
    if (signal.aborted) hurry();
    try {
      return await Promise.race([attempt, hurried.promise]);
    } finally {
      signal.removeEventListener("abort", hurry);
    }
  }

  async #letGo(claim: Claim): Promise<void> {
    this.#parts.figures.returned += claim.texts.length;
    // What cannot be given back stays where it is held, and is found there.
    await claim.release().catch(() => {});
  }

  #tending(): Work {
    return {
      name: "lease",
      retryMs: 1_000,
      once: async () => {
        await this.#tend();
        return TEND_MS;
      },
    };
  }

  async #tend(): Promise<void> {
    const back = await this.#parts.source.tend();
    if (back === 0) return;
    this.#parts.figures.recovered += back;
    this.#parts.events.emit("info", "receiver.recovered", `Gave back ${back} events of dead receivers`, {
      count: back,
    });
  }

  #lost(side: Side, error: unknown): void {
    this.#parts.figures.outages[side]++;
    if (this.#away.has(side)) return;
    this.#away.add(side);
    const held = side === "database" ? "events are held back" : "no events are taken";
    this.#parts.events.emit("warning", "receiver.away", `The ${side} failed, ${held}: ${errorLine(error)}`);
  }

  #back(side: Side): void {
    if (!this.#away.delete(side)) return;
    this.#parts.events.emit("info", "receiver.back", `The ${side} works again`);
  }
}

function rest(failures: number): number {
  return jitter(Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures));
}
