/** Nodes without processes: the dispatcher and its triage as they are, between a table in memory and slots that run nothing. */
import { Dispatcher } from "../../runtime/dispatch/dispatcher.ts";
import type { Patience } from "../../runtime/dispatch/choice.ts";
import { Triage } from "../../runtime/dispatch/triage.ts";
import { Events } from "../../runtime/events.ts";
import type { Pool } from "../../runtime/pool/pool.ts";
import type { AbortReason } from "../../runtime/pool/protocol.ts";
import type { Finished, Running } from "../../runtime/pool/slot.ts";
import { asks, plus, type Resources } from "../../runtime/resources.ts";
import type { Claimed, Exchange, Exchanged, Store, Token } from "../../runtime/store/store.ts";
import type { Asked, Contender } from "../../runtime/store/triage.ts";
import { claimed, finished } from "../conformance/make.ts";
import { FakeClock } from "../fake_clock.ts";

interface Row extends Claimed {
  id: number;
  demand: Resources | null;
  at: number;
  state: "waiting" | "running" | "done";
  instance: string | null;
  preempted: number;
}

/** What all nodes share. */
export class Table {
  readonly rows: Row[] = [];
  readonly clock: FakeClock;
  looks = 0;
  preempts = 0;
  /** Statements whose answer is lost, by name, so many times. */
  readonly lost: Record<string, number> = {};

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  publish(
    options: { resources?: Resources; priority?: number; preemptible?: boolean; task?: string } = {},
  ): Row {
    const { resources, priority = 0, preemptible, task = "t" } = options;
    const row: Row = {
      ...claimed({
        task,
        priority,
        fence: 0,
        attempt: 0,
        options: JSON.stringify({ resources, preemptible }),
      }),
      id: this.rows.length + 1,
      demand: resources && asks(resources) ? resources : null,
      at: this.clock.monotonic(),
      state: "waiting",
      instance: null,
      preempted: 0,
    };
    this.rows.push(row);
    return row;
  }

  #waiting(): Row[] {
    return this.rows.filter(({ state }) => state === "waiting").sort((a, b) =>
      a.priority - b.priority || a.id - b.id
    );
  }

  #held({ uuid, fence }: Token, instance: string): Row | undefined {
    return this.rows.find((row) =>
      row.uuid === uuid && row.fence === fence && row.instance === instance && row.state === "running"
    );
  }

  #take(rows: Row[], instance: string): Claimed[] {
    return rows.map((row) => {
      Object.assign(row, { state: "running", instance, fence: row.fence + 1 });
      const { id: _i, demand: _d, at: _a, state: _s, instance: _n, preempted: _p, ...rest } = row;
      return rest;
    });
  }

  async #answer<T>(name: string, value: T): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve));
    if ((this.lost[name] ?? 0) > 0) {
      this.lost[name]--;
      throw new Error(`the answer of ${name} is lost`);
    }
    return value;
  }

  exchange({ settlements, lane, limit, instance }: Exchange): Promise<Exchanged> {
    const settled = new Set<string>();
    for (const one of settlements) {
      const row = this.#held(one, instance);
      if (!row) continue;
      settled.add(one.uuid);
      Object.assign(row, { state: one.outcome === "released" ? "waiting" : "done", instance: null });
    }
    const plain = this.#waiting().filter(({ demand, priority }) =>
      demand === null && (!lane || priority === lane.priority)
    );
    const taken = this.#take(plain.slice(0, limit), instance);
    const asking = this.#waiting().some(({ demand }) => demand !== null);
    const all = plain.length < limit;
    return this.#answer("exchange", {
      claimed: taken,
      withheld: [],
      returned: [],
      settled,
      all,
      reached: [],
      last: 0,
      asking,
    });
  }

  contenders(_: string[], each: number): Promise<Contender[]> {
    this.looks++;
    const kinds = new Map<string, Contender[]>();
    for (const { uuid, id, queue, demand, priority, at } of this.#waiting()) {
      const kind = `${priority} ${JSON.stringify(demand)}`;
      if (!kinds.has(kind)) kinds.set(kind, []);
      const waited = (this.clock.monotonic() - at) / 1000;
      if (kinds.get(kind)!.length < each) {
        kinds.get(kind)!.push({ uuid, id, queue, demand, priority, waited });
      }
    }
    return this.#answer("contenders", [...kinds.values()].flat());
  }

  claimAsking(_: string, instance: string, uuids: string[]): Promise<Claimed[]> {
    const free = this.#waiting().filter(({ uuid, demand }) => demand !== null && uuids.includes(uuid));
    return this.#answer("claimAsking", this.#take(free, instance));
  }

  ask(instance: string, asked: Asked[]): Promise<Set<string>> {
    const done = new Set<string>();
    for (const one of asked) {
      const row = this.#held(one, instance);
      if (!row) continue;
      const options = JSON.stringify({ ...JSON.parse(row.options), resources: one.demand });
      Object.assign(row, { state: "waiting", instance: null, demand: one.demand, options });
      done.add(one.uuid);
    }
    return this.#answer("ask", done);
  }

  preempt(instance: string, tokens: Token[], most: number): Promise<Set<string>> {
    const rows = tokens.flatMap((token) => this.#held(token, instance) ?? []).filter(({ preempted }) =>
      preempted < most
    );
    for (const row of rows) row.preempted++;
    this.preempts++;
    return this.#answer("preempt", new Set(rows.map(({ uuid }) => uuid)));
  }

  reconcile(instance: string, held: Token[]): Promise<string[]> {
    const known = new Set(held.map(({ uuid, fence }) => `${uuid} ${fence}`));
    const lost = this.rows.filter((row) =>
      row.state === "running" && row.instance === instance && !known.has(`${row.uuid} ${row.fence}`)
    );
    for (const row of lost) Object.assign(row, { state: "waiting", instance: null });
    return this.#answer("reconcile", lost.map(({ uuid }) => uuid));
  }
}

/** A node of so many slots. */
export class FakeNode {
  readonly offers: Resources;
  readonly table: Table;
  readonly triage: Triage;
  readonly dispatcher: Dispatcher;
  readonly said: string[] = [];
  running: Running[] = [];
  readonly learnt = new Set<string>();
  /** Queues whose other nodes were told that there is work. */
  readonly woken: string[] = [];
  readonly #slots: number;

  constructor(
    table: Table,
    name: string,
    slots: number,
    offers: Resources,
    patience: Partial<Patience> = {},
  ) {
    this.table = table;
    this.offers = offers;
    this.#slots = slots;
    const events = new Events();
    events.on(({ name }) => this.said.push(name));
    const store = table as unknown as Store;
    const { clock } = table;
    const queues = ["default"];
    const patient = { ageing: 60, reserve: 5, preempt: 1, ...patience };
    this.triage = new Triage({ node: name, store, clock, events, queues, offers, patience: patient });
    this.dispatcher = new Dispatcher(name, {
      store,
      clock,
      events,
      queues,
      isForContent: () => false,
      settled: (_watched, released) => this.woken.push(...released),
      triage: this.triage,
    }, { node: name, backoff: { base: 1, factor: 2, max: 9, jitter: 0 }, maxAttempts: 1 });
    this.dispatcher.start(this.#pool() as unknown as Pool);
  }

  #pool() {
    const slots = () => this.running.map((running) => ({ running }));
    return {
      room: () => Math.max(0, this.#slots - this.running.length),
      idle: false,
      hasPlenty: false,
      intake: { meanBytes: 0 },
      hold: () => {},
      holds: () => this.running.map(({ claimed }) => claimed),
      fleet: { running: slots },
      endings: { preemptible: this.learnt },
      submit: (batch: Claimed[]) => {
        const now = this.table.clock.monotonic();
        const fresh = {
          started: 0,
          since: now,
          deadline: null,
          aborted: null,
          killAt: null,
          killSentAt: null,
        };
        for (const one of batch) this.running.push({ claimed: one, ...fresh, progress: null });
      },
      abort: (uuid: string, reason: AbortReason) => {
        const one = this.running.find(({ claimed }) => claimed.uuid === uuid);
        if (one) one.aborted = reason;
        return one !== undefined;
      },
    };
  }

  /** What it runs, together. */
  get used(): Resources {
    const demands = this.running.map(({ claimed: { options } }) =>
      JSON.parse(options).resources as Resources ?? {}
    );
    return demands.reduce(plus, {});
  }

  uuids(): string[] {
    return this.running.map(({ claimed }) => claimed.uuid);
  }

  /** An attempt ends: as it was told to, or by itself. */
  end(one: Running = this.running[0], more: Partial<Finished> = {}): void {
    this.running.splice(this.running.indexOf(one), 1);
    const preempted = one.aborted === "Preempted";
    const how = preempted
      ? { preempted, outcome: "released" as const, text: '{"name":"Preempted","message":"m"}' }
      : {};
    this.dispatcher.finished(finished({ claimed: one.claimed, ...how, ...more }));
    this.dispatcher.room();
  }
}

export function fakeTable(): Table {
  return new Table(new FakeClock());
}

/** Whatever is ready to run has run. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve));
}
