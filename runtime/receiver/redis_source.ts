/**
 * Events in a list of Redis, where AWX puts them: producers RPUSH, receivers take from the other end.
 *
 * ```text
 *  KEY ──take: one script──► KEY:taken:INSTANCE:N ──done, after the commit──► gone
 *   ▲                              │
 *   └──── given back, in order ────┘   its holder has no lease any more (KEY:receiver:INSTANCE)
 * ```
 *
 * Every step is one script, which Redis does whole or not at all, and may be repeated: what is taken has the name of its
 * list before it is taken, so that a repeated take gives the same, and what is done is named, not counted.
 *
 * | what can fail | what happens |
 * |---|---|
 * | the receiver dies between take and commit | its lease ends (at once where its process is known to be dead): others give back what it held |
 * | it dies between commit and done | the same, and what is written again changes nothing |
 * | the answer of a take is lost | the next take asks for the same list |
 * | Redis is away, or starts | whatever is asked fails and is asked again; what is held is in memory and in Redis |
 * | Redis is away for longer than the lease | others take what is held here, both write it, rows are known by their keys |
 * | a connection is half open | no answer for 10 s: it is cut and made anew |
 *
 * @module
 */
import process from "node:process";
import type { Redis, RedisOptions } from "ioredis";
import { type Clock, systemClock } from "../clock.ts";
import { DispatcherError } from "../errors.ts";
import { isKnownDead, processIdentity } from "../platform/process_identity.ts";
import { uuid7 } from "../uuid.ts";
import { isUrgent } from "./event.ts";
import { BATCH, BATCH_BYTES, type Claim, IDLE_SECONDS, LINGER_MS, type Run, type Source } from "./source.ts";

/** Who holds what, and how it is written. */
export interface RedisSourceParts {
  url: string;
  /** The list that producers push to. */
  key: string;
  run: Run;
  clock?: Clock;
}

const LEASE_MS = 15_000;
const ANSWER_MS = 10_000;
/** Between two looks while a batch fills. */
const LOOK_MS = 50;

/**
 * The same list again if it is there: the answer of the take before was lost. At least one event, whatever its size, for
 * those who hold none; read in parts, so that a list of large ones is not read whole.
 */
const TAKE = `
local held = redis.call('LRANGE', KEYS[2], 0, -1)
if #held > 0 then return held end
local most, bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local taken, full = {}, false
while not full and #taken < most do
  local items = redis.call('LRANGE', KEYS[1], #taken, math.min(#taken + 100, most) - 1)
  full = #items == 0
  for _, item in ipairs(items) do
    bytes = bytes - #item
    if bytes < 0 and (#taken > 0 or ARGV[3] ~= '0') then full = true break end
    taken[#taken + 1] = item
  end
end
if #taken == 0 then return taken end
redis.call('RPUSH', KEYS[2], unpack(taken))
redis.call('LTRIM', KEYS[1], #taken, -1)
redis.call('SADD', KEYS[3], KEYS[2])
return taken`;

/** To where they came from, in their order, unless their holder lives. */
const GIVE_BACK = `
if redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
local items = redis.call('LRANGE', KEYS[2], 0, -1)
for i = #items, 1, -1 do redis.call('LPUSH', KEYS[1], items[i]) end
redis.call('DEL', KEYS[2])
redis.call('SREM', KEYS[3], KEYS[2])
return #items`;

const DONE = `
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]); redis.call('SREM', KEYS[1], KEYS[i]) end`;

interface Scripts {
  takeEvents(
    ...args: [source: string, list: string, index: string, most: number, bytes: number, held: number]
  ): Promise<string[]>;
  giveBack(source: string, list: string, index: string, lease: string): Promise<number>;
  eventsDone(count: number, ...keys: string[]): Promise<null>;
}

/** Connect, and find out whether Redis can serve. @throws {DispatcherError} `config` or `unavailable`, without the password. */
export async function openRedis(parts: RedisSourceParts): Promise<RedisSource> {
  const { Redis } = await import("ioredis");
  const options: RedisOptions = {
    lazyConnect: true,
    // Who asks asks again, knowing what may have happened; the client must not, it does not know.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    connectTimeout: ANSWER_MS,
    retryStrategy: (times) => Math.min(1_000, 50 * 2 ** times),
    connectionName: "edge-dispatcher-receiver",
  };
  const client = new Redis(parts.url, { ...options, commandTimeout: ANSWER_MS });
  const bell = new Redis(parts.url, options);
  // Without a listener it writes each failed try to the console; who asks hears of it.
  let heard: Error | undefined;
  for (const one of [client, bell]) one.on("error", (error) => heard = error);
  client.defineCommand("takeEvents", { numberOfKeys: 3, lua: TAKE });
  client.defineCommand("giveBack", { numberOfKeys: 4, lua: GIVE_BACK });
  client.defineCommand("eventsDone", { lua: DONE });
  try {
    await Promise.all([client.connect(), bell.connect()]);
    const version = /redis_version:(\d+)\.(\d+)/.exec(await client.info("server"));
    const [major, minor] = version?.slice(1).map(Number) ?? [0, 0];
    if (major < 6 || (major === 6 && minor < 2)) {
      throw new DispatcherError(
        "config",
        `Cannot use Redis ${major}.${minor} at ${addressOf(parts.url)}: it takes 6.2`,
      );
    }
    return new RedisSource(client as Redis & Scripts, bell, parts);
  } catch (error) {
    for (const one of [client, bell]) one.disconnect();
    if (error instanceof DispatcherError) throw error;
    // The call knows only that it came to nothing, the event why.
    const { message } = heard ?? error as Error;
    const refused = /NOAUTH|WRONGPASS|NOPERM/.test(message);
    const text = `Cannot connect to Redis at ${addressOf(parts.url)}: ${message}`;
    throw new DispatcherError(refused ? "config" : "unavailable", text, { cause: error });
  }
}

/** Where a URL leads, without its password. @throws {DispatcherError} `usage` for what is none. */
export function addressOf(url: string): string {
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) {
    throw new DispatcherError(
      "usage",
      "Cannot use this address of Redis: it must look like redis://host:6379/0",
    );
  }
  const { hostname, port, pathname } = new URL(url);
  return `${hostname || "localhost"}:${port || 6379}${pathname === "/" ? "" : pathname}`;
}

/** A list of Redis as a source. Use {@link openRedis}. */
export class RedisSource implements Source {
  readonly kind = "redis";
  readonly #client: Redis & Scripts;
  // Waits where nothing else may: a command that blocks holds up all behind it.
  readonly #bell: Redis;
  readonly #parts: RedisSourceParts;
  readonly #clock: Clock;
  readonly #instance: string = uuid7();
  #lists = 0;
  // The list of a take whose answer has not come; written by pull() alone, one runs at a time.
  #pending: string | undefined;
  // One worker gathers at a time, so that batches get full; the others write meanwhile.
  #turn: Promise<unknown> = Promise.resolve();

  constructor(client: Redis & Scripts, bell: Redis, parts: RedisSourceParts) {
    this.#client = client;
    this.#bell = bell;
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  take(signal: AbortSignal): Promise<Claim | undefined> {
    const taken = this.#turn.then(() => signal.aborted ? undefined : this.#gather(signal));
    this.#turn = taken.catch(() => {});
    return taken;
  }

  async #gather(signal: AbortSignal): Promise<Claim | undefined> {
    const claim = new RedisClaim(this.#parts.run, (lists, give) => this.#end(lists, give));
    const first = await this.#pull(claim);
    if (first.texts.length === 0) return await this.#wait(signal);
    claim.add(first);
    const end = this.#clock.monotonic() + LINGER_MS;
    while (!claim.full && !signal.aborted && this.#clock.monotonic() < end) {
      await this.#clock.sleep(LOOK_MS, signal);
      if (signal.aborted) break;
      // What is held already is written, whatever becomes of this.
      const more = await this.#pull(claim).catch(() => undefined);
      if (!more) break;
      claim.add(more);
    }
    return claim;
  }

  /** Take what a claim has room for. */
  async #pull({ texts: { length: held }, bytes }: RedisClaim): Promise<{ list: string; texts: string[] }> {
    const { key } = this.#parts;
    const list = this.#pending ??= `${key}:taken:${this.#instance}:${this.#lists++}`;
    const room = [BATCH - held, BATCH_BYTES - bytes] as const;
    const texts = await this.#ask((redis) => redis.takeEvents(key, list, this.#index, ...room, held));
    this.#pending = undefined;
    return { list, texts };
  }

  /** Until there is something, or for a while. The head moved to where it is: a look that blocks and takes nothing. */
  async #wait(signal: AbortSignal): Promise<undefined> {
    const { key } = this.#parts;
    const hear = () => this.#bell.disconnect(true);
    signal.addEventListener("abort", hear, { once: true });
    // On a connection that is half open it would not end by itself.
    const bound = setTimeout(hear, IDLE_SECONDS * 1_000 + ANSWER_MS);
    try {
      await this.#bell.blmove(key, key, "LEFT", "LEFT", IDLE_SECONDS);
    } catch {
      // The next take tells what is wrong.
      await this.#clock.sleep(LOOK_MS, signal);
    } finally {
      clearTimeout(bound);
      signal.removeEventListener("abort", hear);
    }
  }

  async tend(): Promise<number> {
    const { key } = this.#parts;
    const self = JSON.stringify({ pid: process.pid, identity: processIdentity() });
    await this.#ask((redis) => redis.set(this.#lease(this.#instance), self, "PX", LEASE_MS));
    let back = 0;
    for (const list of await this.#ask((redis) => redis.smembers(this.#index))) {
      const holder = list.slice(`${key}:taken:`.length).split(":")[0];
      if (holder === this.#instance) continue;
      await this.#forget(holder);
      back += await this.#ask((redis) => redis.giveBack(key, list, this.#index, this.#lease(holder)));
    }
    return back;
  }

  /** End the lease of a process that is known to be dead. */
  async #forget(holder: string): Promise<void> {
    const lease = await this.#ask((redis) => redis.get(this.#lease(holder)));
    if (lease === null) return;
    const { pid, identity } = JSON.parse(lease);
    if (isKnownDead(String(identity), Number(pid))) {
      await this.#ask((redis) => redis.del(this.#lease(holder)));
    }
  }

  size(): Promise<number> {
    return this.#ask((redis) => redis.llen(this.#parts.key));
  }

  async #end(lists: readonly string[], give: boolean): Promise<void> {
    const { key } = this.#parts;
    if (!give) {
      return void await this.#ask((redis) => redis.eventsDone(lists.length + 1, this.#index, ...lists));
    }
    // The last list first: each goes before what is there. No key is the lease of nobody.
    for (const list of lists.toReversed()) {
      await this.#ask((redis) => redis.giveBack(key, list, this.#index, this.#lease("nobody")));
    }
  }

  async close(): Promise<void> {
    try {
      // Without a lease whatever is still held is for whoever looks next.
      await this.#ask((redis) => redis.del(this.#lease(this.#instance)));
    } catch {
      // It ends by itself.
    }
    for (const one of [this.#client, this.#bell]) one.disconnect();
  }

  async #ask<T>(question: (redis: Redis & Scripts) => Promise<T>): Promise<T> {
    try {
      return await question(this.#client);
    } catch (error) {
      // The client leaves a connection be on which no answer comes.
      if ((error as Error).message === "Command timed out") this.#client.disconnect(true);
      throw error;
    }
  }

  get #index(): string {
    return `${this.#parts.key}:taken`;
  }

  #lease(instance: string): string {
    return `${this.#parts.key}:receiver:${instance}`;
  }
}

/** What one worker holds: the lists of one or several takes. */
class RedisClaim implements Claim {
  readonly lasting = true;
  readonly texts: string[] = [];
  readonly run: Run;
  readonly #lists: string[] = [];
  readonly #end: (lists: readonly string[], give: boolean) => Promise<void>;
  bytes = 0;
  #urgent = false;

  constructor(run: Run, end: (lists: readonly string[], give: boolean) => Promise<void>) {
    this.run = run;
    this.#end = end;
  }

  get full(): boolean {
    return this.#urgent || this.texts.length >= BATCH || this.bytes >= BATCH_BYTES / 2;
  }

  add({ list, texts }: { list: string; texts: string[] }): void {
    if (texts.length === 0) return;
    this.#lists.push(list);
    for (const text of texts) {
      this.texts.push(text);
      this.bytes += text.length;
      this.#urgent ||= isUrgent(text);
    }
  }

  done(): Promise<void> {
    return this.#end(this.#lists, false);
  }

  release(): Promise<void> {
    return this.#end(this.#lists, true);
  }
}
