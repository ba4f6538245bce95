import { Dispatcher } from "../../runtime/dispatch/dispatcher.ts";
import { OnCall } from "../../runtime/dispatch/on_call.ts";
import { type DispatcherEvent, Events } from "../../runtime/events.ts";
import type { Pool } from "../../runtime/pool/pool.ts";
import type { Called } from "../../runtime/store/on_call.ts";
import type { Claimed, Exchange, Exchanged, Store, Token } from "../../runtime/store/store.ts";
import { claimed, finished } from "../conformance/make.ts";
import { FakeClock } from "../fake_clock.ts";

/** An error that passes by itself. */
export class Away extends Error {
  override name = "Away";
}

/** A store whose answers the test writes; it has what it was asked. */
export class FakeStore {
  readonly exchanges: Exchange[] = [];
  readonly reconciled: { instance: string; held: Token[] }[] = [];
  /** What waits in the database. */
  waiting: Claimed[] = [];
  /** Before an exchange takes effect: what it throws is the answer. */
  before: (work: Exchange) => void | Promise<void> = () => {};
  /** After it took effect: what it throws is an answer that was lost. */
  after: (work: Exchange) => void | Promise<void> = () => {};
  /** So many of a claim come with their content. */
  handsOut = Infinity;
  /** The last number that was drawn. */
  last = 0;
  /** Uuids whose settling changes nothing. */
  readonly stale = new Set<string>();

  async exchange(work: Exchange): Promise<Exchanged> {
    this.exchanges.push(work);
    // A turn of the event loop, as any real store takes.
    await new Promise((resolve) => setImmediate(resolve));
    await this.before(work);
    const settled = work.settlements.map((s) => s.uuid).filter((uuid) => !this.stale.has(uuid));
    const claimed = this.waiting.splice(0, work.limit);
    const withheld = claimed.splice(this.handsOut);
    const all = claimed.length + withheld.length < work.limit;
    const answer = {
      claimed,
      withheld,
      returned: [],
      all,
      settled: new Set(settled),
      reached: [],
      last: this.last,
      asking: false,
    };
    await this.after(work);
    return answer;
  }

  reconcile: Store["reconcile"] = (instance, held) => {
    this.reconciled.push({ instance, held: held.map(({ uuid, fence }) => ({ uuid, fence })) });
    return Promise.resolve([]);
  };

  /** How often it was said that the node looks by itself. */
  vigils = 0;

  keepVigil(): Promise<void> {
    this.vigils++;
    return Promise.resolve();
  }

  /** What was said of being on call. */
  readonly calls: ("on" | "off")[] = [];

  onCall(): Promise<Called> {
    this.calls.push("on");
    return Promise.resolve({ can: true, handed: 0 });
  }

  offCall(): Promise<void> {
    this.calls.push("off");
    return Promise.resolve();
  }

  /** Outcomes by uuid, of all exchanges so far, the failed ones included. */
  outcomes(): [uuid: string, outcome: string][] {
    return this.exchanges.flatMap((work) =>
      work.settlements.map((s) => [s.uuid, s.outcome] as [string, string])
    );
  }
}

/** A pool of so many slots that runs nothing: what it was given, it holds until the test takes it out. */
export class FakePool {
  readonly held: Claimed[] = [];
  slots: number;

  constructor(slots: number) {
    this.slots = slots;
  }

  /** Of the arguments that it was given. */
  readonly intake = { meanBytes: 0 };
  /** Whether it begins nothing. */
  isHeld = false;
  /** Whether it says that its slots have work for a while. */
  hasPlenty = false;

  room(): number {
    return Math.max(0, this.slots - this.held.length);
  }

  hold(on: boolean): void {
    this.isHeld = on;
  }

  get idle(): boolean {
    return this.held.length === 0;
  }

  submit(batch: Claimed[]): void {
    this.held.push(...batch);
  }

  holds(): Token[] {
    return this.held;
  }
}

/** A dispatcher between a fake store and a fake pool; it may be on call. */
export function rig(slots: number, waiting = 0, mayBeOnCall = false) {
  const store = new FakeStore();
  store.waiting = Array.from({ length: waiting }, () => claimed());
  const pool = new FakePool(slots);
  const events = new Events();
  const said: DispatcherEvent[] = [];
  events.on((event) => said.push(event));
  const announced: [watched: string[], released: string[], retried: boolean][] = [];
  const clock = new FakeClock();
  const call = {
    store,
    clock,
    events,
    node: "node-1",
    queues: ["default", "node-1"],
    channel: "c",
    hears: () => true,
  };
  const onCall = mayBeOnCall ? new OnCall(call) : undefined;
  const dispatcher = new Dispatcher("instance-1", {
    store: store as unknown as Store,
    clock,
    events,
    queues: ["default", "node-1"],
    isForContent: (error) => !(error instanceof Away),
    settled: (...call) => announced.push(call),
    onCall,
  }, { node: "node-1", backoff: { base: 2, factor: 2, max: 60, jitter: 0 }, maxAttempts: 1 });
  onCall?.listening();
  return {
    store,
    pool,
    clock,
    dispatcher,
    announced,
    /** Names of what was said, in order. */
    said: () => said.map((event) => event.name),
    texts: () => said.map((event) => event.text),
    start: () => dispatcher.start(pool as unknown as Pool),
    /** The pool ends an attempt that it holds, or one more of its own. */
    finish(one: Claimed = claimed(), fields: Parameters<typeof finished>[0] = {}) {
      const at = pool.held.indexOf(one);
      if (at >= 0) pool.held.splice(at, 1);
      dispatcher.finished(finished({ claimed: one, ...fields }));
      return one.uuid;
    },
  };
}

/** Whatever is ready to run has run. */
export async function idle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A promise that the test resolves. */
export function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => open = resolve);
  return { open, opened };
}
