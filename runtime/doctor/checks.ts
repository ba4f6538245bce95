/**
 * The checks: from what was seen to what is said of it. Pure.
 *
 * @module
 */
import { failed, type Finding, ok, warning } from "./finding.ts";

/** Connections of the server, and how many there may be. */
export interface Connections {
  /** All but those that only superusers get. */
  most: number;
  used: number;
  /** Of this login and of this database; -1: any number. */
  role_limit: number;
  database_limit: number;
}

/** What a node takes: its pool, the one that listens, and HTTP. */
const PER_NODE = 7;
const FEW = 5;

/** Whether connections run out. */
export function connectionFindings(c: Connections, liveNodes: number): Finding[] {
  const limits = [c.most, ...[c.role_limit, c.database_limit].filter((limit) => limit >= 0)];
  const most = Math.min(...limits);
  const text = `${c.used} of ${most} connections are used; ${liveNodes} nodes take up to ${
    liveNodes * PER_NODE
  }`;
  const repair = most < c.most
    ? "alter role … connection limit …; -- or: alter database … connection limit …"
    : "alter system set max_connections = 200; -- and restart the server, or put a pooler in front";
  if (most - c.used < FEW) return [failed("connections", text, repair)];
  if (c.used > most * 0.8 || liveNodes * PER_NODE > most) return [warning("connections", text, repair)];
  return [ok("connections", text)];
}

const SKEW_SECONDS = 2;

/** Whether this machine's clock and the database's agree. Nothing that nodes agree on depends on it; people do. */
export function clockFindings(skewSeconds: number): Finding[] {
  const text = `This machine's clock is ${Math.abs(skewSeconds).toFixed(1)} s ${
    skewSeconds < 0 ? "behind" : "ahead of"
  } the database's`;
  if (Math.abs(skewSeconds) <= SKEW_SECONDS) return [ok("clock", text)];
  return [warning("clock", `${text}: times in its log and in --at are off by as much`)];
}

/** A table and what is dead in it. */
export interface TableSize {
  name: string;
  live: number;
  dead: number;
  bytes: number;
  index_bytes: number;
  vacuums: boolean;
}

/** A transaction that keeps what is dead from being forgotten. */
export interface OldTransaction {
  pid: number | null;
  /** Of a prepared one. */
  gid: string | null;
  seconds: number;
  application: string;
}

const MUCH_DEAD = 50_000;
const BYTES_EACH = 4_096;
const SMALL = 64 * 1024 * 1024;
const mb = (bytes: number) => `${Math.round(bytes / 1_000_000)} MB`;

/** Whether dead rows heap up, and who keeps them. */
export function bloatFindings(tables: TableSize[], transactions: OldTransaction[]): Finding[] {
  const found: Finding[] = [];
  for (const { name, live, dead, bytes, index_bytes, vacuums } of tables) {
    const table = `dispatcher.${name}`;
    if (!vacuums) {
      const repair = `alter table ${table} reset (autovacuum_enabled);`;
      found.push(failed("bloat", `Nobody vacuums ${table}: autovacuum is off`, repair));
    }
    if (dead > MUCH_DEAD && dead > live) {
      const text = `${table} has ${dead} dead rows beside ${live}: ${mb(bytes)}, indexes ${mb(index_bytes)}`;
      found.push(warning("bloat", text, `vacuum (analyze) ${table};`));
    } else if (bytes + index_bytes > SMALL && (bytes + index_bytes) / Math.max(1, live) > BYTES_EACH * 4) {
      const text = `${table} takes ${mb(bytes)} and its indexes ${mb(index_bytes)} for ${live} rows`;
      found.push(
        warning("bloat", text, `vacuum full ${table}; -- locks it; or: reindex table concurrently ${table};`),
      );
    }
  }
  for (const { pid, gid, seconds, application } of transactions) {
    const who = gid === null ? `of pid ${pid} (${application || "no name"})` : `"${gid}", prepared,`;
    const repair = gid === null ? `select pg_terminate_backend(${pid});` : `rollback prepared '${gid}';`;
    const text = `A transaction ${who} is open for ${Math.round(seconds / 60)} min: what is dead stays`;
    found.push(warning("bloat", text, repair));
  }
  return found.length > 0 ? found : [ok("bloat", "Dead rows are few, and no transaction keeps them")];
}

/** Whether somebody works. */
export function nodeFindings(
  nodes: { name: string; alive: boolean; state: string; listener: string; leader: boolean }[],
): Finding[] {
  const live = nodes.filter(({ alive }) => alive);
  if (live.length === 0) return [warning("nodes", "No node is alive: nothing runs", "cli dispatcher")];
  const names = live.map(({ name }) => name).join(", ");
  const found = live.filter(({ listener }) => listener === "isolated").map(({ name }) =>
    failed("nodes", `Node "${name}" hears no notifications: it looks for work every few seconds only`)
  );
  if (!live.some(({ leader }) => leader)) found.push(warning("nodes", "No node leads at this moment"));
  if (live.every(({ state }) => state === "draining")) {
    found.push(warning("nodes", `All nodes drain: ${names}`, `cli node resume ${live[0].name}`));
  }
  return found.length > 0 ? found : [ok("nodes", `${live.length} alive: ${names}`)];
}

/** Whether the archive has a place for today's rows. */
export function archiveFindings({ today, stray }: { today: boolean; stray: boolean }): Finding[] {
  const create = "select dispatcher.create_partitions(3);";
  if (!today) {
    const text =
      "The archive has no partition for today: rows go to the default one, and are deleted one by one";
    return [warning("archive", text, stray ? undefined : create)];
  }
  return [ok("archive", "The archive has a partition for today")];
}

/** How a statement and a notification travel. */
export interface Way {
  /** Milliseconds from a NOTIFY to its being heard; null: it was not. */
  heardMs: number | null;
  /** Why not. */
  fault: string | null;
  /** Whether a pooler stands between, and whether it gives each transaction another session. */
  pooler: "none" | "session" | "transaction";
  listenUrl: boolean;
  statements: "auto" | "on" | "off";
}

/** Whether notifications arrive, and statements fit the way they take. */
export function wayFindings({ heardMs, fault, pooler, listenUrl, statements }: Way): Finding[] {
  const direct = "cli config show # listen_url must lead to PostgreSQL itself, past the pooler";
  const heard = heardMs === null
    ? failed("listen", `No notification came back${fault ? `: ${fault}` : " within 2 s"}`, direct)
    : ok(
      "listen",
      `A notification came back in ${heardMs.toFixed(0)} ms through ${
        listenUrl ? "listen_url" : "database_url"
      }`,
    );
  if (pooler === "none") return [heard, ok("pooler", "PostgreSQL answers directly")];
  const text = `A pooler in ${pooler} mode is between this machine and PostgreSQL`;
  if (statements === "on" && pooler === "transaction") {
    return [
      heard,
      failed(
        "pooler",
        `${text}, and prepared_statements is on`,
        "cli config show # prepared_statements: auto",
      ),
    ];
  }
  return [heard, ok("pooler", text)];
}

/** Whether what waits has code here. */
export function taskFindings(
  root: string,
  unknown: { task: string; waiting: number; why: string }[],
): Finding[] {
  if (unknown.length === 0) return [ok("tasks", `All that waits has its task under "${root}"`)];
  return unknown.map(({ task, waiting, why }) =>
    failed(
      "tasks",
      `${waiting} envelopes wait for "${task}", and it is no task under "${root}": ${why}`,
      `cli discard --task '${task.replaceAll("'", "'\\''")}'`,
    )
  );
}
