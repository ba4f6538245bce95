/** One action on the real store and on the model: both must answer the same and look the same afterwards. */
import assert from "node:assert/strict";
import type fc from "fast-check";
import { seal } from "../../../runtime/envelope.ts";
import type { Sql } from "../../../runtime/store/connection.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { uuid7 } from "../../../runtime/uuid.ts";
import { registration } from "../../conformance/make.ts";
import { beat } from "../../conformance/store/moves.ts";
import { type Action, NODES, sealCall, sealCalls, settlementOf } from "./actions.ts";
import type { Model } from "./model.ts";
import { checkInvariants, observe, type Observed } from "./observe.ts";

export interface Real {
  store: Store;
  sql: Sql;
}

/** An action as fast-check plays it. */
export function commandOf(action: Action): fc.AsyncCommand<Model, Real> {
  return {
    check: () => true,
    toString: () => JSON.stringify(action),
    async run(model, real) {
      await play(action, model, real);
      await compare(model, real.sql);
    },
  };
}

async function compare(model: Model, sql: Sql): Promise<void> {
  const byUuid = (a: { uuid: string }, b: { uuid: string }) => a.uuid < b.uuid ? -1 : 1;
  const live = [...model.live.values()].sort(byUuid).map(({ seq: _s, key: _k, priority: _p, ...row }) => row);
  const nodes = [...model.nodes.values()].map(({ name, instance, state }) => ({ name, instance, state }));
  const expected: Observed = {
    live,
    final: [...model.archive.values()].sort(byUuid),
    nodes: nodes.sort((a, b) => a.name < b.name ? -1 : 1),
  };
  assert.deepEqual(await observe(sql), expected);
  await checkInvariants(sql);
}

type Step<A extends Action["do"]> = (
  action: Extract<Action, { do: A }>,
  model: Model,
  real: Real,
) => Promise<void>;

/** The node of that number, if it has registered. */
const nodeOf = (model: Model, n: number) => model.nodes.get(NODES[n]);

const steps: { [A in Action["do"]]: Step<A> } = {
  async publish({ calls }, model, { store }) {
    const batch = sealCalls(calls, model.uuids);
    assert.deepEqual(await store.publish(batch), model.publish(batch));
  },

  async exchange({ node, queues, limit, verdicts }, model, { store }) {
    const { name, instance } = nodeOf(model, node) ?? { name: NODES[node], instance: uuid7() };
    // Whoever claimed settles, so that not nearly all are stale; a later instance of the name is.
    const mine = model.tokens.filter((token) => token.instance === instance);
    const picked = mine.length === 0 ? [] : verdicts.map((verdict) => ({
      verdict,
      token: mine.at(-1 - verdict.token % Math.min(mine.length, 6))!,
    }));
    const settlements = [
      ...new Map(picked.map(({ verdict, token }) => [token.uuid, settlementOf(verdict, token)]))
        .values(),
    ];
    const by = picked.some(({ verdict }) => verdict.wrong === "instance") ? uuid7() : instance;
    const wanted = by === instance ? limit : 0;
    const before = model.available();
    const { claimed, settled } = await store.exchange({
      node: name,
      instance: by,
      settlements,
      queues,
      limit: wanted,
    });
    assert.deepEqual([...settled].sort(), model.settle(by, settlements).sort(), "what was settled");
    const claims = model.claim(
      { name, instance: by, state: "running", leased: true, since: 0 },
      queues,
      wanted,
      before,
    );
    assert.deepEqual(
      claimed.map((one) => [one.uuid, one.fence, one.attempt, one.keyed, one.solo, one.origin]),
      claims.map((row) => [row.uuid, row.fence, row.attempt, row.keyed, row.solo, row.origin]),
      "what was claimed, in its order",
    );
  },

  async cancel({ picks }, model, { store }) {
    if (model.uuids.length === 0) return;
    const uuids = [...new Set(picks.map((n) => model.uuids.at(-1 - n % model.uuids.length)!))];
    const sorted = (rows: { uuid: string }[]) => rows.toSorted((a, b) => a.uuid < b.uuid ? -1 : 1);
    assert.deepEqual(sorted(await store.cancel(uuids)), sorted(model.cancel(uuids)));
  },

  async progress({ token, wrong }, model, { store }) {
    if (model.tokens.length === 0) return;
    const { instance, uuid, fence } = model.tokens.at(-1 - token % model.tokens.length)!;
    const given = { uuid, fence: wrong ? fence - 1 : fence };
    assert.equal(await store.progress(instance, given, '"half"'), model.progress(instance, given, '"half"'));
  },

  async reconcile({ node, forget }, model, { store }) {
    const found = nodeOf(model, node);
    if (!found) return;
    const all = [...model.live.values()].filter((row) => row.instance === found.instance);
    const held = all.slice(forget);
    const given = await store.reconcile(found.instance, held);
    assert.deepEqual(given.sort(), model.reconcile(found.instance, held).sort());
  },

  async onCall({ node, queues }, model, { store }) {
    const { name, instance } = nodeOf(model, node) ?? { name: NODES[node], instance: uuid7() };
    assert.equal((await store.onCall({ node: name, instance, queues, channel: "model" })).can, true);
    model.onCall.set(instance, { name, queues });
  },

  async offCall({ node }, model, { store }) {
    const found = nodeOf(model, node);
    if (!found) return;
    await store.offCall(found.instance);
    model.onCall.delete(found.instance);
  },

  async hand({ queue, priority }, model, { store, sql }) {
    const envelope = seal("t", [], { queue, priority });
    const takers = model.takers(queue);
    assert.deepEqual(await store.publish([envelope], [queue]), [{ isNew: true, duplicateOf: null }]);
    const [{ instance }] = await sql`select instance from dispatcher.envelope where uuid = ${envelope.uuid}`;
    if (takers.length === 0) assert.equal(instance, null, "nobody could take it");
    else assert.ok(takers.includes(instance), `one of ${takers} takes it, not ${instance}`);
    model.hand(envelope, instance);
  },

  async register({ node }, model, { store }) {
    const given = registration(NODES[node]);
    assert.equal((await store.register(given)).ok, model.register(given.name, given.instance));
  },

  async unregister({ node }, model, { store }) {
    const found = nodeOf(model, node);
    if (found?.state !== "running") return;
    await store.unregister(found.instance);
    model.unregister(found);
  },

  async lapse({ node }, model, { store }) {
    const found = nodeOf(model, node);
    if (!found) return;
    const { alive } = await beat(store, registration(found.name, { instance: found.instance }), {
      leaseSeconds: 0,
      leaderSeconds: 0,
    });
    assert.equal(alive, found.state === "running", "who has left or was given up does not come back");
    if (alive) found.leased = false;
  },

  async deliver({ node }, model, { store }) {
    assert.equal(await store.deliver(NODES[node]), model.deliver(NODES[node]));
  },

  async adopt({ node, call }, model, { store }) {
    const envelope = sealCall(call, model.uuids);
    const message = { envelope, everyNode: false, anonymous: false };
    assert.equal(await store.adopt(NODES[node], [message]), model.adopt(NODES[node], envelope));
  },

  async pause({ queue, paused }, model, { sql }) {
    await sql`insert into dispatcher.queue (name, paused_at) values (${queue}, ${
      paused ? new Date().toISOString() : null
    }::timestamptz)
      on conflict (name) do update set paused_at = excluded.paused_at`;
    if (paused) model.paused.add(queue);
    else model.paused.delete(queue);
  },

  async stage(_, model, { store }) {
    assert.deepEqual((await store.stage(1_000)).queues.sort(), [...model.stage()].sort());
  },

  async rescue(_, model, { store }) {
    const { queues, rescued } = await store.rescue();
    const expected = model.rescue();
    assert.deepEqual([queues.sort(), rescued], [[...expected.queues].sort(), expected.rescued]);
  },

  async pass(_, model, { sql }) {
    await sql`update dispatcher.envelope set due_at = clock_timestamp() - interval '1 second'
      where due_at > clock_timestamp()`;
    model.pass();
  },

  async prune(_, _model, { store }) {
    assert.deepEqual(await store.prune(7), { created: 0, dropped: [], inUse: false });
  },
};

/** Do it to both. */
async function play(action: Action, model: Model, real: Real): Promise<void> {
  await (steps[action.do] as Step<Action["do"]>)(action as never, model, real);
}
