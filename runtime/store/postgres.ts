/**
 * The store on PostgreSQL. Each method is one statement of `sql.ts`; this file turns arguments into arrays and
 * rows into objects.
 *
 * @module
 */
import { BROADCAST_QUEUE, type Sealed } from "../envelope.ts";
import type { ScheduleRow } from "../schedule.ts";
import { copyUuid } from "../uuid.ts";
import { arrayLiteral, type Followed, type Sql } from "./connection.ts";
import { settledText, wakeText } from "./hint_texts.ts";
import type * as Log from "./log.ts";
import { CLAIM_BYTES } from "./exchange.ts";
import { Apart, fetchContents } from "./postgres_content.ts";
import { readLog, writeLog } from "./postgres_log.ts";
import { LookStatements } from "./postgres_look.ts";
import { contentParams, Handing, publishBy, publishParams, publishPlain } from "./postgres_publish.ts";
import { nodeScheduleRows, toldOf } from "./postgres_schedules.ts";
import { prune } from "./pruning.ts";
import { shareOf } from "./ranges.ts";
import * as SQL from "./sql.ts";
import { claimParams, exchangedOf, REHEARSAL, settleParams } from "./postgres_exchange.ts";
import { filterParams, uuidRange } from "./postgres_operator.ts";
import { TriageStatements } from "./postgres_triage.ts";
import * as LOOK from "./sql_look.ts";
import * as NODE from "./sql_nodes.ts";
import * as SCHEDULE from "./sql_schedules.ts";
import { type Param, type Row, runStatement } from "./statements.ts";
import type { Called, Idler } from "./on_call.ts";
import type * as Port from "./store.ts";

/** The store over a connection pool. `close` ends the pool. */
export class PostgresStore extends TriageStatements implements Port.Store {
  readonly #sql: Sql;
  readonly look: LookStatements;
  readonly #apart = new Apart();
  readonly #handing = new Handing();
  // Statements of publish() under way.
  #publishing = 0;

  constructor(sql: Sql) {
    super((text, params = []) => runStatement(sql, text, params));
    this.#sql = sql;
    this.look = new LookStatements((text, params = []) => runStatement(sql, text, params));
  }

  #run(text: string, params: Param[] = [], more?: Followed): Promise<Row[]> {
    return runStatement(this.#sql, text, params, more);
  }

  async publish(batch: Sealed[], wakes: readonly string[] = []): Promise<Port.Put[]> {
    const plain = batch.every((e) => !e.ownUuid && !e.unique && e.queue !== BROADCAST_QUEUE);
    const behind = wakeText(wakes, batch);
    const run = (text: string, params: Param[]) => this.#run(text, params, { behind });
    this.#publishing++;
    try {
      const apart = await this.#apart.holds((text, params) => this.#run(text, params), batch);
      if (!plain) return await publishBy(run, batch, apart);
      // Who does not ask for a wake publishes so often that nobody is on call for it.
      const handing = wakes.length > 0 ? this.#handing : undefined;
      return await publishPlain(run, batch, { alone: this.#publishing === 1, apart, handing });
    } finally {
      this.#publishing--;
    }
  }

  async wake(queues: string[]): Promise<number> {
    return (await this.#run(SQL.WAKE, [arrayLiteral(queues)]))[0].quiet;
  }

  async keepVigil(instance: string): Promise<void> {
    await this.#run(NODE.KEEP_VIGIL, [instance]);
  }

  async exchange(work: Port.Exchange): Promise<Port.Exchanged> {
    const [settlements, later] = firstOfEach(work.settlements);
    const exchanged = await this.#exchange({ ...work, settlements });
    const { settled } = exchanged;
    if (later.length === 0) return exchanged;
    const [again] = firstOfEach(later);
    const { settled: more } = await this.#exchange({ ...work, settlements: again, queues: [], limit: 0 });
    for (const uuid of more) settled.add(uuid);
    return exchanged;
  }

  async warmUp(connections: number): Promise<void> {
    await Promise.all(Array.from({ length: connections }, () => this.#exchange(REHEARSAL)));
  }

  async #exchange(work: Port.Exchange): Promise<Port.Exchanged> {
    const s = work.settlements;
    const share = shareOf(work.limit, work.queues.length);
    const most = work.bytes ?? CLAIM_BYTES;
    const params = [...claimParams(work, share), ...settleParams(s, most)];
    const rows = await this.#run(SQL.EXCHANGE, params, { behind: settledText(s) });
    const queues = work.lane ? [work.lane.queue] : work.queues;
    const { claimed: all, ids, stale, last, asking, ...exchanged } = exchangedOf(rows, queues);
    const apart = await fetchContents((text, params) => this.#run(text, params), all, most);
    const withheld = new Set([...exchanged.withheld, ...apart]);
    const settled = new Set(s.map((x) => x.uuid));
    for (const uuid of stale) settled.delete(uuid);
    // What is given back waits before the place that was reached.
    if (withheld.size > 0) {
      const claimed = all.filter((one) => !withheld.has(one));
      const returned = firstBy(all, ids, withheld);
      return { claimed, withheld: [...withheld], returned, all: false, settled, reached: [], last, asking };
    }
    const { reached, most: given } = reachedBy(all, ids);
    const isAll = all.length < work.limit && given < share;
    return { claimed: all, withheld: [], returned: [], all: isAll, settled, reached, last, asking };
  }

  async reconcile(instance: string, held: Port.Token[]): Promise<string[]> {
    const [uuids, fences] = [held.map((x) => x.uuid), held.map((x) => x.fence)];
    const rows = await this.#run(SQL.RECONCILE, [instance, arrayLiteral(uuids), arrayLiteral(fences)]);
    // What is claimed again before this is told to end, as any that runs.
    const unwanted = rows.filter((row) => row.cancelled).map((row) => row.uuid);
    if (unwanted.length > 0) await this.cancel(unwanted);
    return rows.map((row) => row.uuid);
  }

  async progress(instance: string, token: Port.Token, progress: string): Promise<boolean> {
    const rows = await this.#run(SQL.PROGRESS, [token.uuid, token.fence, instance, progress]);
    return (rows as unknown as { count: number }).count > 0;
  }

  async register(n: Port.NodeRegistration): Promise<Port.Registered> {
    const rows = await this.#run(NODE.REGISTER, [
      n.name,
      n.instance,
      n.runtime,
      n.version,
      n.host,
      n.pid,
      n.boot,
      n.minSlots,
      n.maxSlots,
      arrayLiteral(n.queues),
      n.leaseSeconds,
      n.replaces ?? null,
      n.schedules?.length ? toldOf(n.instance, n.schedules) : null,
    ]);
    if (rows.length > 0) return { ok: true, rescued: (await this.#rescue(true)).rescued };
    const holder = (await this.nodes()).find((row) => row.name === n.name);
    // It ended between the two statements: try again.
    return holder ? { ok: false, holder } : await this.register(n);
  }

  async heartbeat(b: Port.Heartbeat): Promise<Port.HeartbeatReply> {
    const own = [b.instance, b.state, b.slots, b.busy, b.leaseSeconds, b.leaderSeconds, b.listener, b.rss];
    const resources = b.resources ? JSON.stringify({ instance: b.instance, ...b.resources }) : null;
    const [{ on_call: onCall, ...reply }] = await this.#run(NODE.HEARTBEAT, [
      ...own,
      b.minSlots,
      b.maxSlots,
      resources,
    ]);
    return { ...reply, onCall };
  }

  async onCall({ node, instance, queues, channel }: Idler): Promise<Called> {
    const [called] = await this.#run(NODE.ON_CALL, [instance, node, arrayLiteral(queues), channel]);
    return called ?? { can: false, handed: null };
  }

  async offCall(instance: string): Promise<void> {
    await this.#run(NODE.OFF_CALL, [instance]);
  }

  async unregister(instance: string): Promise<void> {
    await this.#run(NODE.UNREGISTER, [instance]);
    await this.#rescue(true);
  }

  async deliver(node: string): Promise<number> {
    return (await this.#run(SQL.DELIVER, [node])).length;
  }

  async adopt(node: string, messages: Port.Adoption[]): Promise<number> {
    const e = messages.map((m) => m.envelope);
    const rows = await this.#run(SQL.ADOPT, [
      node,
      arrayLiteral(messages.map((m) => m.everyNode ? copyUuid(m.envelope.uuid, node) : m.envelope.uuid)),
      arrayLiteral(messages.map((m) => m.everyNode ? m.envelope.uuid : null)),
      arrayLiteral(messages.map((m) => m.everyNode ? node : m.envelope.queue)),
      ...contentParams(e),
      arrayLiteral(e.map((x) => x.delay)),
      arrayLiteral(messages.map((m) => m.anonymous && !m.everyNode)),
    ]);
    return rows.length;
  }

  async stage(limit: number): Promise<{ queues: string[]; next: number | null }> {
    const [{ queues, staged, next, keyed }] = await this.#run(SQL.STAGE, [limit]);
    const promoted = keyed ? (await this.#run(SQL.PROMOTE)).map((row) => row.queue as string) : [];
    return { queues: [...new Set([...queues, ...promoted])], next: staged >= limit ? 0 : next };
  }

  adopted(node: string, { task, uuid, limit }: Port.AdoptedFilter): Promise<Port.AdoptedRow[]> {
    return this.#run(LOOK.ADOPTED, [node, task ?? null, uuid ?? null, limit]);
  }

  async rescue(thorough = true): Promise<{ queues: string[]; rescued: number }> {
    const { holders, ...found } = await this.#rescue(thorough);
    // Housekeeping: what failed is done a minute later.
    await this.#tidy(holders).catch(() => {});
    return found;
  }

  /** A statement for each part, so that nobody who settles waits for long. */
  async #tidy(holders: string[]): Promise<void> {
    for (const instance of holders) {
      for (let parts = 0, rows = NODE.TIDIED_AT_ONCE; rows === NODE.TIDIED_AT_ONCE && parts < 100; parts++) {
        rows = (await this.#run(NODE.TIDY, [instance]))[0].rows;
      }
    }
  }

  async #rescue(thorough: boolean): Promise<{ queues: string[]; rescued: number; holders: string[] }> {
    const rows = await this.#run(NODE.RESCUE, [thorough]);
    return {
      queues: rows.flatMap((r) => r.queue ?? []),
      rescued: rows.reduce((sum, r) => sum + r.rescued, 0),
      holders: rows.flatMap((r) => r.holder ?? []),
    };
  }

  prune(retentionDays: number): Promise<Port.Pruned> {
    return prune((text, params) => this.#run(text, params), retentionDays);
  }

  async putSchedules(
    rows: Parameters<Port.Store["putSchedules"]>[0],
    first: (row: ScheduleRow, now: Date) => Date | null,
  ): Promise<void> {
    if (rows.length === 0) return;
    const now = await this.#now();
    // Nodes that start at the same time lock them in the same order.
    rows = rows.toSorted((a, b) => a.name < b.name ? -1 : 1);
    const next = (row: typeof rows[number]) =>
      first({ ...row, scope: "cluster", nodes: null, last_at: null, last_uuid: null }, now);
    await this.#run(SCHEDULE.PUT_SCHEDULES, [
      arrayLiteral(rows.map((row) => row.name)),
      arrayLiteral(rows.map((row) => row.task)),
      arrayLiteral(rows.map((row) => JSON.stringify(row.args))),
      arrayLiteral(rows.map((row) => JSON.stringify(row.kwargs))),
      arrayLiteral(rows.map((row) => row.queue)),
      arrayLiteral(rows.map((row) => JSON.stringify(row.options))),
      arrayLiteral(rows.map((row) => row.every)),
      arrayLiteral(rows.map((row) => row.cron)),
      arrayLiteral(rows.map((row) => row.timezone)),
      arrayLiteral(rows.map((row) => row.catch_up)),
      arrayLiteral(rows.map((row) => row.enabled)),
      arrayLiteral(rows.map((row) => next(row)?.toISOString() ?? null)),
    ]);
  }

  /** The one clock of a cluster. */
  async #now(): Promise<Date> {
    return new Date((await this.#run(SCHEDULE.NOW))[0].now);
  }

  async schedules(): Promise<ScheduleRow[]> {
    const [shared, own] = await Promise.all([
      this.#run(SCHEDULE.SCHEDULES) as Promise<ScheduleRow[]>,
      this.#run(SCHEDULE.NODE_SCHEDULES),
    ]);
    return [...shared, ...nodeScheduleRows(own)];
  }

  async enableSchedule(
    name: string,
    enabled: boolean,
    next: (row: ScheduleRow, now: Date) => Date | null,
  ): Promise<boolean> {
    const row = (await this.schedules()).find((row) => row.name === name);
    if (row?.scope !== "cluster") return false;
    const at = next(row, await this.#now());
    await this.#run(SCHEDULE.ENABLE_SCHEDULE, [name, enabled, at?.toISOString() ?? null]);
    return true;
  }

  async tick(plan: Parameters<Port.Store["tick"]>[0]): ReturnType<Port.Store["tick"]> {
    const queues = new Set<string>();
    let [{ next }] = await this.#run(SCHEDULE.NEXT_TICK);
    if (next === null || next > 0) return { queues: [], next };
    for (const { now, ...row } of await this.#run(SCHEDULE.DUE_SCHEDULES)) {
      const { envelopes, next: following } = plan(row, new Date(now));
      const ticked = await this.#run(SCHEDULE.TICK, [
        row.name,
        row.next_at,
        following?.toISOString() ?? null,
        envelopes.at(-1)?.uuid ?? null,
        ...publishParams(envelopes),
      ]);
      if (ticked.length > 0) { for (const { queue } of envelopes) queues.add(queue); }
    }
    [{ next }] = await this.#run(SCHEDULE.NEXT_TICK);
    return { queues: [...queues], next };
  }

  async list(f: Port.EnvelopeFilter): Promise<Port.EnvelopeRow[]> {
    if (f.before === undefined) return await this.#run(LOOK.LIST, filterParams(f));
    return await this.#run(LOOK.PAGE, [...filterParams(f), f.before]);
  }

  broadcasts(prefix: string, limit: number): Promise<Port.EnvelopeRow[]> {
    return this.#run(LOOK.BROADCASTS, [...uuidRange(prefix), limit]);
  }

  async outcomes(uuids: string[]): ReturnType<Port.Store["outcomes"]> {
    const rows = await this.#run(LOOK.OUTCOMES, [arrayLiteral(uuids)]);
    return new Map(rows.map((row) => [row.uuid, row]));
  }

  queues(): Promise<Port.QueueRow[]> {
    return this.#run(LOOK.QUEUES);
  }

  nodes(): Promise<Port.NodeRow[]> {
    return this.#run(NODE.NODES);
  }

  writeLog(node: string, lines: Log.NewLine[]): Promise<void> {
    return writeLog((text, params) => this.#run(text, params), node, lines);
  }

  readLog(uuid: string, filter: Log.LogFilter): Promise<Log.LogLine[]> {
    return readLog((text, params) => this.#run(text, params), uuid, filter);
  }

  async waiting(queues: string[], instance?: string): Promise<number> {
    return (await this.#run(LOOK.WAITING, [arrayLiteral(queues), instance ?? null]))[0].n;
  }

  async close(): Promise<void> {
    // Bounded: after a connection was lost under a statement the client waits for it in vain, the whole timeout.
    await this.#sql.end({ timeout: 2 });
  }
}

/** The last place of each queue and priority, of what was claimed in this order; and how much one queue gave at most. */
function reachedBy(claimed: Port.Claimed[], ids: number[]): { reached: Port.Floor[]; most: number } {
  const floors = new Map<string, Port.Floor>();
  const counts = new Map<string, number>();
  for (let begin = 0, end = 0; begin < claimed.length; begin = end) {
    const { queue, priority } = claimed[begin];
    while (end < claimed.length && claimed[end].queue === queue && claimed[end].priority === priority) end++;
    floors.set(`${priority} ${queue}`, { queue, priority, id: ids[end - 1] });
    counts.set(queue, (counts.get(queue) ?? 0) + end - begin);
  }
  return { reached: [...floors.values()], most: Math.max(0, ...counts.values()) };
}

/** The first place of each queue and priority that is among these, of what was claimed in this order. */
function firstBy(claimed: Port.Claimed[], ids: number[], among: ReadonlySet<Port.Claimed>): Port.Floor[] {
  const floors = new Map<string, Port.Floor>();
  for (const [i, one] of claimed.entries()) {
    const { queue, priority } = one;
    const key = `${priority} ${queue}`;
    if (among.has(one) && !floors.has(key)) floors.set(key, { queue, priority, id: ids[i] });
  }
  return [...floors.values()];
}

/** The statement settles an envelope once. What is settled twice was lost and claimed again in between: one is stale. */
function firstOfEach(all: Port.Settlement[]): [first: Port.Settlement[], later: Port.Settlement[]] {
  const seen = new Set<string>();
  const later: Port.Settlement[] = [];
  const first = all.filter((s) => seen.size < seen.add(s.uuid).size || (later.push(s), false));
  return [first, later];
}
