/**
 * Does an old transaction slow the queue down? A REPEATABLE READ transaction that is held open keeps PostgreSQL from
 * forgetting dead rows: whatever walks the claim's index from its beginning walks over all of them.
 *
 * Publishes at a steady rate while the transaction is open, and measures in between, by bursts, what the node can do.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { setTimeout as rest } from "node:timers/promises";
import process from "node:process";
import postgres from "postgres";
import { connect } from "../mod.ts";
const url = process.env.DATABASE_URL!;
const minutes = Number(process.argv[2] ?? 2);
const RATE = 1000, BURST = 5000;
const sql = postgres(url, { max: 2, onnotice: () => {} });
const client = await connect({ databaseUrl: url });
const node = spawn("node", [
  "--no-warnings",
  "cli/main.ts",
  "dispatcher",
  "--node",
  "bloat",
  "--workers",
  "4",
  "--database-url",
  url,
], { stdio: ["ignore", "pipe", "inherit"] });
await new Promise((r) => node.stdout.once("data", r));
async function drained() {
  for (;;) {
    const [{ n }] = await sql`select count(*)::int n from (select from dispatcher.envelope limit 1) x`;
    if (n === 0) return;
    await rest(20);
  }
}
const batch = (n: number) =>
  client.publishMany(Array.from({ length: n }, (_, i) => ({ task: "examples/add", args: [i, 1] })));
async function burst() {
  await drained();
  const t = performance.now();
  for (let i = 0; i < BURST; i += 1000) await batch(1000);
  await drained();
  return BURST / (performance.now() - t) * 1000;
}
await burst();
console.log("before", (await burst()).toFixed(0), (await burst()).toFixed(0));
const holder = await sql.reserve();
await holder`begin isolation level repeatable read`;
await holder`select count(*) from dispatcher.envelope`;
const t0 = performance.now();
let sent = 0;
for (let next = 60_000;;) {
  const due = (performance.now() - t0) / 1000 * RATE - sent;
  if (due >= 1) {
    const n = Math.min(1000, Math.floor(due));
    await batch(n);
    sent += n;
  }
  if (performance.now() - t0 > next) {
    const b = await burst();
    sent += BURST;
    const [{ waiting }] = await sql`select count(*)::int waiting from dispatcher.envelope`;
    console.log(
      `${((performance.now() - t0) / 1000).toFixed(0)} s sent ${sent}, burst ${
        b.toFixed(0)
      }/s, waiting ${waiting}`,
    );
    next += 60_000;
    if (performance.now() - t0 > minutes * 60_000) break;
  }
  await rest(20);
}
await holder`commit`;
holder.release();
node.kill("SIGTERM");
await client.close();
await sql.end();
