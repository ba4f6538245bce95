/** What may be done to a store, as data: made at random, printed when a sequence fails, and played on a store. */
import fc from "fast-check";
import { type OnDuplicate, seal, type Sealed } from "../../../runtime/envelope.ts";
import type { Outcome } from "../../../runtime/state.ts";
import type { Settlement, Token } from "../../../runtime/store/store.ts";
import { settlement } from "../../conformance/make.ts";

export const NODES = ["n1", "n2", "n3"] as const;
export const QUEUES = ["a", "b"] as const;

/** One envelope to publish; `known` says which uuid of those that there are it takes. */
export interface Call {
  queue: string;
  arg: number;
  priority: number;
  delay: number;
  mode: OnDuplicate;
  known: number | null;
  own: boolean;
}

/** One verdict; `token` says on which claim of those that were made. */
export interface Verdict {
  token: number;
  outcome: Outcome;
  delay: number;
  solo: boolean;
  record: boolean;
  error: boolean;
  /** Turns it stale: another fence, or another instance. */
  wrong: "fence" | "instance" | null;
}

export type Action =
  | { do: "publish"; calls: Call[] }
  | { do: "exchange"; node: number; queues: string[]; limit: number; verdicts: Verdict[] }
  | { do: "cancel"; picks: number[] }
  | { do: "progress"; token: number; wrong: boolean }
  | { do: "reconcile"; node: number; forget: number }
  | { do: "onCall"; node: number; queues: string[] }
  | { do: "hand"; queue: string; priority: number }
  | { do: "register" | "unregister" | "lapse" | "deliver" | "offCall"; node: number }
  | { do: "adopt"; node: number; call: Call }
  | { do: "pause"; queue: string; paused: boolean }
  | { do: "stage" | "rescue" | "pass" | "prune" };

const call = (queues: readonly string[]): fc.Arbitrary<Call> =>
  fc.record({
    queue: fc.constantFrom(...queues),
    arg: fc.nat(1),
    priority: fc.integer({ min: -1, max: 1 }),
    delay: fc.constantFrom(0, 0, 0, 3_600),
    mode: fc.constantFrom<OnDuplicate>("parallel", "discard", "serial", "serial", "queue_one"),
    known: fc.option(fc.nat(30), { freq: 6 }),
    own: fc.boolean(),
  });

const verdict: fc.Arbitrary<Verdict> = fc.record({
  token: fc.nat(30),
  outcome: fc.constantFrom<Outcome>("completed", "completed", "retry", "cancelled", "discarded", "released"),
  delay: fc.constantFrom(0, 3_600),
  solo: fc.boolean(),
  record: fc.boolean(),
  error: fc.boolean(),
  wrong: fc.option(fc.constantFrom("fence" as const, "instance" as const), { freq: 6 }),
});

const node = fc.nat(NODES.length - 1);
const one = <T extends string>(name: T) => fc.constant(name);

/** Each action as often as it deserves. */
export const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: one("publish"),
      calls: fc.array(call([...QUEUES, ...QUEUES, "broadcast", "n1"]), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      do: one("exchange"),
      node,
      queues: fc.uniqueArray(fc.constantFrom(...QUEUES, ...NODES), { minLength: 1 }),
      limit: fc.nat(4),
      verdicts: fc.uniqueArray(verdict, { maxLength: 3, selector: (v) => v.token }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: one("cancel"), picks: fc.array(fc.nat(30), { minLength: 1, maxLength: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: one("progress"), token: fc.nat(30), wrong: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: one("reconcile"), node, forget: fc.nat(4) }) },
  { weight: 3, arbitrary: fc.record({ do: one("register"), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("unregister", "lapse", "offCall"), node }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: one("onCall"),
      node,
      queues: fc.uniqueArray(fc.constantFrom(...QUEUES), { minLength: 1 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: one("hand"),
      queue: fc.constantFrom(...QUEUES),
      priority: fc.integer({ min: -1, max: 1 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: one("deliver"), node }) },
  { weight: 1, arbitrary: fc.record({ do: one("adopt"), node, call: call(QUEUES) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: one("pause"), queue: fc.constantFrom(...QUEUES), paused: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ do: one("stage") }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("rescue", "pass", "prune") }) },
) as fc.Arbitrary<Action>;

/** The envelope of a call; one of the known uuids if it asks for that. */
export function sealCall(call: Call, uuids: readonly string[]): Sealed {
  const known = call.known === null || uuids.length === 0 ? undefined : uuids[call.known % uuids.length];
  return seal("t", [call.arg], {
    queue: call.queue,
    priority: call.priority,
    delay: call.delay || undefined,
    onDuplicate: call.mode,
    uuid: known ?? (call.own ? crypto.randomUUID() : undefined),
  });
}

/** The envelopes of one statement: of equal uuids in it the first. */
export function sealCalls(calls: Call[], uuids: readonly string[]): Sealed[] {
  const batch = new Map<string, Sealed>();
  for (const e of calls.map((one) => sealCall(one, uuids))) if (!batch.has(e.uuid)) batch.set(e.uuid, e);
  return [...batch.values()];
}

/** The settlement of a verdict on a claim. */
export function settlementOf(verdict: Verdict, token: Token): Settlement {
  const { outcome, delay, solo, record, error, wrong } = verdict;
  return settlement({ uuid: token.uuid, fence: token.fence - (wrong === "fence" ? 1 : 0) }, {
    outcome,
    solo,
    delay: outcome === "retry" ? delay : null,
    record: record ? JSON.stringify({ outcome }) : null,
    error: error ? '{"name":"Error"}' : null,
    result: outcome === "completed" ? "1" : null,
  });
}
