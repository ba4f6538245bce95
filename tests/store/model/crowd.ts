/**
 * Several actions at once on the real store, without a model: nobody can say which came first. What is kept are the
 * claims and the settlements that were answered, to see that none was made twice.
 */
import assert from "node:assert/strict";
import { seal } from "../../../runtime/envelope.ts";
import type { Sql } from "../../../runtime/store/connection.ts";
import type { Claimed, NodeRegistration, Store } from "../../../runtime/store/store.ts";
import { registration } from "../../conformance/make.ts";
import { lapse } from "../../conformance/store/moves.ts";
import { type Action, NODES, sealCall, sealCalls, settlementOf } from "./actions.ts";

interface Held extends Claimed {
  by: string;
}

export class Crowd {
  readonly #store: Store;
  readonly #sql: Sql;
  readonly #nodes = new Map<string, NodeRegistration>();
  readonly #tokens: Held[] = [];
  readonly #uuids: string[] = [];
  readonly #claimed = new Set<string>();
  readonly #settled = new Set<string>();

  constructor(store: Store, sql: Sql) {
    this.#store = store;
    this.#sql = sql;
  }

  /** Do these at once. */
  async step(actions: Action[]): Promise<void> {
    await Promise.all(actions.map((action) => this.#act(action)));
  }

  #node(n: number): NodeRegistration {
    const name = NODES[n];
    const known = this.#nodes.get(name) ?? registration(name);
    this.#nodes.set(name, known);
    return known;
  }

  async #act(action: Action): Promise<void> {
    const store = this.#store;
    switch (action.do) {
      case "publish": {
        const batch = sealCalls(action.calls, this.#uuids);
        await store.publish(batch);
        this.#uuids.push(...batch.map((e) => e.uuid));
        return;
      }
      case "exchange":
        return await this.#exchange(action);
      case "cancel":
        return void await store.cancel(action.picks.flatMap((n) => this.#uuids.at(-1 - n) ?? []));
      case "progress": {
        const held = this.#tokens.at(-1 - action.token);
        return held && void await store.progress(held.by, held, "1");
      }
      case "reconcile": {
        const { instance } = this.#node(action.node);
        const mine = this.#tokens.filter((one) => one.by === instance);
        return void await store.reconcile(instance, mine.slice(action.forget));
      }
      case "onCall": {
        const { name: node, instance } = this.#node(action.node);
        return void await store.onCall({ node, instance, queues: action.queues, channel: "crowd" });
      }
      case "offCall":
        return await store.offCall(this.#node(action.node).instance);
      case "hand":
        return await this.#hand(action);
      case "register": {
        const node = registration(NODES[action.node]);
        const { ok } = await store.register(node);
        if (ok) this.#nodes.set(node.name, node);
        return;
      }
      case "unregister":
        return await store.unregister(this.#node(action.node).instance);
      case "lapse":
        return await lapse(store, this.#node(action.node));
      case "deliver":
        return void await store.deliver(NODES[action.node]);
      case "adopt": {
        const envelope = sealCall(action.call, this.#uuids);
        return void await store.adopt(NODES[action.node], [{ envelope, everyNode: false, anonymous: false }]);
      }
      case "pause":
        return void await this.#sql`insert into dispatcher.queue (name, paused_at)
          values (${action.queue}, ${action.paused ? "now" : null}::timestamptz)
          on conflict (name) do update set paused_at = excluded.paused_at`;
      case "stage":
        return void await store.stage(1_000);
      case "rescue":
        return void await store.rescue();
      case "pass":
        return void await this
          .#sql`update dispatcher.envelope set due_at = clock_timestamp() - interval '1 second'
          where uuid in (select uuid from dispatcher.envelope where due_at > clock_timestamp() for update skip locked)`;
      case "prune":
        return void await store.prune(7);
    }
  }

  async #hand({ queue, priority }: Extract<Action, { do: "hand" }>): Promise<void> {
    const envelope = seal("t", [], { queue, priority });
    await this.#store.publish([envelope], [queue]);
    this.#uuids.push(envelope.uuid);
  }

  async #exchange(action: Extract<Action, { do: "exchange" }>): Promise<void> {
    const { name: node, instance } = this.#node(action.node);
    const mine = this.#tokens.filter((one) => one.by === instance);
    const settlements = new Map(action.verdicts.flatMap((verdict) => {
      const held = mine.at(-1 - verdict.token % Math.max(1, Math.min(mine.length, 6)));
      return held ? [[held.uuid, settlementOf(verdict, held)]] : [];
    }));
    const { queues, limit } = action;
    const work = { node, instance, settlements: [...settlements.values()], queues, limit };
    const { claimed, settled } = await this.#store.exchange(work);
    for (const one of claimed) {
      assert.ok(
        once(this.#claimed, `${one.uuid}/${one.fence}`),
        `${one.uuid} was claimed twice as ${one.fence}`,
      );
      this.#tokens.push({ ...one, by: instance });
    }
    for (const uuid of settled) {
      const { fence } = settlements.get(uuid)!;
      assert.ok(once(this.#settled, `${uuid}/${fence}`), `${uuid} was settled twice as ${fence}`);
      assert.ok(this.#claimed.has(`${uuid}/${fence}`), `${uuid} was settled as ${fence} and never claimed`);
    }
  }
}

function once(seen: Set<string>, what: string): boolean {
  return seen.size < seen.add(what).size;
}
