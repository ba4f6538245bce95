// @runtimes bun
/**
 * The store against a model of it: random sequences of all that nodes and publishers do, compared after every step;
 * and several at once, of which only is checked what always holds. A failure prints its seed and path and the shortest
 * sequence. For a longer run with other seeds: MODEL_SECONDS=600; for one seed again: MODEL_SEED=….
 */
import fc from "fast-check";
import { connect } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { database, test, type TestContext } from "../harness.ts";
import { action } from "./model/actions.ts";
import { Crowd } from "./model/crowd.ts";
import { Model } from "./model/model.ts";
import { checkInvariants, clear } from "./model/observe.ts";
import { commandOf, type Real } from "./model/play.ts";

const SECONDS = Number(process.env.MODEL_SECONDS ?? 0);
const SEED = process.env.MODEL_SEED === undefined ? undefined : Number(process.env.MODEL_SEED);
const RUNS = { sequences: 60, crowds: 25 };
const timeout = 120_000 + SECONDS * 1_000;

/** The same sequences every time, unless a longer run is wanted. */
function bounds(runs: number) {
  const seed = SEED ?? (SECONDS > 0 ? Date.now() & 0x7fffffff : 4242);
  if (SECONDS === 0) return { numRuns: runs, seed };
  return { numRuns: 1e6, seed, interruptAfterTimeLimit: SECONDS * 1_000, markInterruptAsFailure: false };
}

async function open(t: TestContext): Promise<Real> {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const sql = connect(db.url, { max: 6 });
  t.after(() => sql.end({ timeout: 1 }));
  // What a crash would lose is no concern here, and waiting for the disk is most of the time.
  await sql.unsafe(`alter database ${new URL(db.url).pathname.slice(1)} set synchronous_commit = off`);
  return { sql, store: new PostgresStore(sql) };
}

test("the store does what the model does, whatever comes after what", { timeout }, async (t) => {
  const real = await open(t);
  const commands = fc.commands([action.map(commandOf)], { maxCommands: 40, size: "max" });
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      await clear(real.sql);
      await fc.asyncModelRun(() => ({ model: new Model(), real }), sequence);
    }),
    bounds(RUNS.sequences),
  );
});

test("the store keeps what always holds, whatever happens at once", { timeout }, async (t) => {
  const { sql, store } = await open(t);
  const steps = fc.array(fc.array(action, { minLength: 2, maxLength: 5 }), { maxLength: 16, size: "max" });
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      await clear(sql);
      const crowd = new Crowd(store, sql);
      for (const actions of sequence) {
        await crowd.step(actions);
        await checkInvariants(sql);
      }
    }),
    bounds(RUNS.crowds),
  );
});
