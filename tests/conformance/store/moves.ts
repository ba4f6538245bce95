/** The moves that the tests of a store are made of. */
import assert from "node:assert/strict";
import { type PublishOptions, seal, type Sealed } from "../../../runtime/envelope.ts";
import type {
  Adoption,
  Claimed,
  EnvelopeRow,
  Heartbeat,
  HeartbeatReply,
  NodeRegistration,
  Settlement,
  Store,
} from "../../../runtime/store/store.ts";
import { test, type TestContext } from "../../harness.ts";
import { registration, settlement } from "../make.ts";

/** Makes an empty store for a test, and sees to its end. */
export type MakeStore = (t: TestContext) => Promise<Store>;

/** Declares a test that gets a store of its own. */
export type StoreTest = (name: string, run: (store: Store, t: TestContext) => Promise<void>) => void;

export function storeTest(suite: string, makeStore: MakeStore): StoreTest {
  return (name, run) => test(`${suite}: ${name}`, async (t) => await run(await makeStore(t), t));
}

/** Publish, and tell of each envelope whether it is new. */
export async function put(store: Store, ...batch: Sealed[]): Promise<boolean[]> {
  return (await store.publish(batch)).map((one) => one.isNew);
}

/** Publish one call; its envelope. */
export async function publish(
  store: Store,
  options: PublishOptions = {},
  args: unknown[] = [],
): Promise<Sealed> {
  const envelope = seal("examples/add", args, options);
  assert.deepEqual(await put(store, envelope), [true]);
  return envelope;
}

/** Publish so many; their uuids. */
export async function publishMany(
  store: Store,
  count: number,
  options: PublishOptions = {},
): Promise<string[]> {
  const batch = Array.from({ length: count }, () => seal("examples/add", [], options));
  assert.deepEqual(await put(store, ...batch), batch.map(() => true));
  return batch.map((envelope) => envelope.uuid);
}

/** A node that has registered. */
export async function join(
  store: Store,
  name: string,
  fields: Partial<NodeRegistration> = {},
): Promise<NodeRegistration> {
  const node = registration(name, fields);
  assert.equal((await store.register(node)).ok, true);
  return node;
}

interface Claims {
  limit?: number;
  queues?: string[];
}

export async function claim(
  store: Store,
  { name: node, instance }: NodeRegistration,
  { limit = 10, queues = ["default"] }: Claims = {},
): Promise<Claimed[]> {
  const { claimed, settled } = await store.exchange({ node, instance, settlements: [], queues, limit });
  assert.equal(settled.size, 0);
  return claimed;
}

/** Publish one and claim it. */
export async function running(
  store: Store,
  node: NodeRegistration,
  options: PublishOptions = {},
): Promise<Claimed> {
  const { uuid, queue } = await publish(store, options);
  const claimed = await claim(store, node, { limit: 1, queues: [queue] });
  assert.deepEqual(claimed.map((one) => one.uuid), [uuid]);
  return claimed[0];
}

/** Settle and claim nothing; the uuids that were settled. */
export async function settle(
  store: Store,
  { name: node, instance }: NodeRegistration,
  ...settlements: Settlement[]
): Promise<string[]> {
  const { claimed, settled } = await store.exchange({ node, instance, settlements, queues: [], limit: 0 });
  assert.deepEqual(claimed, []);
  return [...settled];
}

/** Settle what was claimed; it must not be stale. */
export async function finish(
  store: Store,
  node: NodeRegistration,
  claimed: Claimed,
  fields: Partial<Settlement> = {},
): Promise<void> {
  assert.deepEqual(await settle(store, node, settlement(claimed, fields)), [claimed.uuid]);
}

/** The one row of a uuid. */
export async function row(store: Store, uuid: string): Promise<EnvelopeRow> {
  const rows = (await store.list({ uuid, limit: 10 })).filter((one) => one.uuid === uuid);
  assert.equal(rows.length, 1, `${rows.length} rows have the uuid ${uuid}`);
  return rows[0];
}

export async function beat(
  store: Store,
  { instance }: NodeRegistration,
  fields: Partial<Heartbeat> = {},
): Promise<HeartbeatReply> {
  const usual = {
    instance,
    state: "running",
    slots: 4,
    busy: 0,
    listener: "connected",
    rss: 1_000,
    leaseSeconds: 30,
    minSlots: 1,
    maxSlots: 4,
    leaderSeconds: 15,
  } as const;
  return await store.heartbeat({ ...usual, ...fields });
}

/** Let a node's lease end now. */
export async function lapse(store: Store, node: NodeRegistration): Promise<void> {
  await beat(store, node, { leaseSeconds: 0, leaderSeconds: 0 });
}

/** A message as the wire brings it. */
export function message(fields: Partial<Sealed> = {}, rest: Partial<Adoption> = {}): Adoption {
  return {
    envelope: { ...seal("examples/add", [1, 1]), ...fields },
    everyNode: false,
    anonymous: false,
    ...rest,
  };
}

/** Texts that have broken one protocol or another. */
export const HOSTILE: readonly string[] = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udfff\ud800",
  '"',
  "'",
  "''; drop table dispatcher.envelope; --",
  "\\",
  '\\"',
  "\\u0000",
  ",",
  "{}",
  "{a,b}",
  "NULL",
  "null",
  "\n\r\t\b\f",
  "\u2028\u2029",
  "é€😀",
  "$1 %s {0}",
];
