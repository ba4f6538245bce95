/**
 * The publishers of a chaos run. Each call has a uuid of the seed and is published until the database has said yes, so
 * that at the end it is known exactly what must be final.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import postgres from "postgres";
import { connect } from "../../mod.ts";
import type { Client } from "../../runtime/client.ts";
import { isTransient } from "../../runtime/store/connection.ts";
import type { Published } from "./evidence.ts";
import { UNITS } from "./fleet.ts";
import { Random } from "./random.ts";

type Call = Omit<Published, "via" | "publisher" | "ackedAt">;
type Via = Published["via"];

/** A node that is woken so often at once looks by itself. */
const WAKES = 200;
/** From so many on that are not final nothing is published. */
const MOST_WAITING = 400;
const GROUPS = ["red", "green", "blue"];

/** What one turn of a publisher publishes. */
export function callOf(random: Random, nodes: readonly string[]): Call {
  const call: Call = {
    uuid: random.uuid(),
    task: "add",
    args: [],
    queue: "default",
    delay: 0,
    priority: 0,
    maxAttempts: 1,
    serial: false,
    units: 0,
    preemptible: false,
  };
  const dice = random.next();
  if (dice < 0.3) {
    Object.assign(call, { task: "add", args: [random.between(0, 999), random.between(0, 999)] });
    // Long, so that it lies apart; the task does not look at it.
    if (random.chance(0.3)) call.args.push("x".repeat(5_000));
  } else if (dice < 0.45) Object.assign(call, { task: "sleep", args: [random.between(10, 300) / 1000] });
  else if (dice < 0.6) Object.assign(call, { task: "flaky", args: [random.between(1, 4)], maxAttempts: 3 });
  else if (dice < 0.8) Object.assign(call, { task: "record", args: [null, random.between(10, 400) / 1000] });
  else if (dice < 0.92) {
    Object.assign(call, { task: "record", args: [random.pick(GROUPS), 0.05], serial: true });
  } else return { ...call, args: [1, random.between(0, 999)], queue: "broadcast" };
  if (random.chance(0.2) && !call.serial) call.queue = random.pick(nodes);
  if (random.chance(0.15)) call.delay = random.between(100, 3_000) / 1000;
  if (random.chance(0.3)) call.priority = random.between(-5, 5);
  if (random.chance(0.3)) call.units = random.between(1, UNITS);
  call.preemptible = random.chance(0.4);
  return call;
}

function needsOf(
  { units, preemptible }: Call,
): { resources?: Record<string, number>; preemptible?: boolean } {
  return { ...(units > 0 ? { resources: { unit: units } } : {}), ...(preemptible ? { preemptible } : {}) };
}

/** Publishes until it is told to stop. */
export class Load {
  readonly published: Published[] = [];
  /** Sent over the wire: at most once, and nobody says yes. */
  readonly wired: Call[] = [];
  readonly cancelled = new Set<string>();
  /** Calls that the database did not answer at first. */
  retries = 0;
  /** How often some node looked by itself, and was not woken. */
  vigils = 0;
  readonly #url: string;
  readonly #nodes: readonly string[];
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[] = [];
  #client!: Client;
  #sql!: postgres.Sql;
  #quiet!: Client;

  constructor(url: string, nodes: readonly string[]) {
    this.#url = url;
    this.#nodes = nodes;
  }

  /** Publish no more until there is less to do; without it a slow machine would be left with hours of work. */
  async #ease(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const [{ n }] = await this.#sql`select count(*)::int n from dispatcher.envelope`;
        if (n < MOST_WAITING) return;
      } catch (error) {
        if (!isTransient(error)) throw error;
      }
      await rest(300);
    }
  }

  async start(seed: number): Promise<void> {
    this.#client = await connect({ databaseUrl: this.#url, max: 3 });
    this.#sql = postgres(this.#url, { max: 3, onnotice: () => {}, backoff: () => 0.25 });
    const publishers: Via[] = ["client", "client", "sql", "sql", "wire"];
    publishers.forEach((via, i) => this.#loops.push(this.#publish(via, i, new Random(seed * 31 + i))));
    this.#loops.push(this.#cancel(new Random(seed * 31 + 30)));
    this.#quiet = await connect({ databaseUrl: this.#url, max: 1 });
    this.#loops.push(this.#publishQuietly(new Random(seed * 31 + 29)));
    this.#loops.push(this.#rouseOften(new Random(seed * 31 + 28)));
  }

  /** Stop; resolves when everything that was begun is acknowledged. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
    await Promise.all([this.#client.close(), this.#quiet.close(), this.#sql.end({ timeout: 1 })]);
  }

  async #publish(via: Via, publisher: number, random: Random): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#ease();
      const calls = Array.from({ length: random.between(1, 8) }, () => callOf(random, this.#nodes));
      // Broadcasts of one publisher one after another: their order is looked at.
      for (const call of calls) if (call.queue === "broadcast") await this.#insist(via, publisher, call);
      await Promise.all(
        calls.filter((call) => call.queue !== "broadcast").map((call) => this.#insist(via, publisher, call)),
      );
      await rest(random.between(50, 350));
    }
  }

  /**
   * One at a time, and without a uuid of its own: what is handed over to a node that is on call. Whether the database said
   * yes to what it did not answer is not known, and nothing depends on it.
   */
  async #publishQuietly(random: Random): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await rest(random.between(10, 100));
      const call = callOf(random, this.#nodes);
      if (call.queue === "broadcast" || call.serial || call.units > 0) continue;
      const { task, args, queue, priority, maxAttempts } = call;
      try {
        const { uuid } = await this.#quiet.publish(task, args, { queue, priority, maxAttempts });
        this.published.push({ ...call, delay: 0, uuid, via: "client", publisher: 29, ackedAt: Date.now() });
      } catch (error) {
        if (!isTransient(error)) throw error;
        this.retries++;
      }
    }
  }

  /** As hundreds of publishers would: nodes look by themselves for a while, and whoever publishes wakes nobody. */
  async #rouseOften(random: Random): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      // Not all the time: what nobody was woken for would be found by chance.
      await rest(random.between(4_000, 15_000), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        const wake = () => this.#sql`select dispatcher.rouse(${["default"]}::text[])`;
        await Promise.all(Array.from({ length: WAKES }, wake));
        await rest(200);
        const [{ kept }] = await this.#sql`
          select count(*)::int kept from dispatcher.node where vigil_until > clock_timestamp()`;
        if (kept > 0) this.vigils++;
      } catch (error) {
        if (!isTransient(error)) throw error;
      }
    }
  }

  async #insist(via: Via, publisher: number, call: Call): Promise<void> {
    if (via === "wire") return await this.#wire(call);
    for (;;) {
      try {
        await (via === "client" ? this.#byClient(call) : this.#bySql(call));
        this.published.push({ ...call, via, publisher, ackedAt: Date.now() });
        return;
      } catch (error) {
        if (!isTransient(error)) throw error;
        this.retries++;
        await rest(200);
      }
    }
  }

  async #byClient(call: Call): Promise<void> {
    const { uuid, task, args, queue, delay, priority, maxAttempts, serial } = call;
    const onDuplicate = serial ? "serial" as const : undefined;
    const options = {
      uuid,
      queue,
      priority,
      maxAttempts,
      onDuplicate,
      delay: delay || undefined,
      ...needsOf(call),
    };
    await this.#client.publish(task, args, options);
  }

  async #bySql(call: Call): Promise<void> {
    const { uuid, task, args, queue, delay, priority, maxAttempts, serial } = call;
    const options = {
      ...needsOf(call),
      uuid,
      priority,
      max_attempts: maxAttempts,
      delay,
      ...(serial ? { on_duplicate: "serial" } : {}),
    };
    await this.#sql`select dispatcher.publish(${task}, ${JSON.stringify(args)}::text::json, '{}', ${queue},
      ${JSON.stringify(options)}::text::json)`;
  }

  /** As a dispatcherd publisher: sent and forgotten, lost when nobody hears. */
  async #wire(call: Call): Promise<void> {
    const { uuid, task, args, queue, delay, serial } = call;
    const message = {
      ...needsOf(call),
      uuid,
      task,
      args,
      kwargs: {},
      delay: delay || undefined,
      ...(serial ? { on_duplicate: "serial" } : {}),
    };
    try {
      await this.#sql`select pg_notify(${queue}, ${JSON.stringify(message)})`;
      this.wired.push(call);
    } catch (error) {
      if (!isTransient(error)) throw error;
      await rest(200);
    }
  }

  async #cancel(random: Random): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await rest(random.between(200, 600));
      const recent = this.published.slice(-40).filter(({ queue }) => queue !== "broadcast");
      if (recent.length === 0) continue;
      const uuids = Array.from({ length: random.between(1, 3) }, () => random.pick(recent).uuid);
      for (const uuid of uuids) this.cancelled.add(uuid);
      try {
        await this.#client.cancel([...new Set(uuids)]);
      } catch (error) {
        if (!isTransient(error)) throw error;
      }
    }
  }
}
