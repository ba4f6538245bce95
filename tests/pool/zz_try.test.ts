import { rig } from "/work/main/tests/pool/rig.ts";
import { test } from "/work/main/tests/harness.ts";
const only = process.env.ONLY?.split(";") ?? ["stray#rejection","stray#thrown","stray#stringy","stray#nothing","stray#overflow","stray#afterwards"];
for (const name of only) {
  test("stray " + name, { timeout: 8000 }, async (t) => {
    const r = await rig(t, {minSlots: 2, maxSlots: 2});
    const p = r.pool; const t0 = performance.now();
    const [n, ...a] = name.split(" ");
    const end = await Promise.race([r.run(n, a), new Promise((ok) => setTimeout(ok, 5000, { outcome: "HANG" }))]) as any;
    console.log(name, end.outcome, String(end.text).slice(0,250), Math.round(performance.now()-t0), r.notices.map(n=>n.text).join("|"));
    if (name === "stray#afterwards") {
      const next = await Promise.all([r.run("/x"), ...[1,2].map(() => r.run("stray#afterwards"))]);
      await new Promise((ok) => setTimeout(ok, 300));
      console.log([...p.fleet.slots.values()].map(s => s.worker + s.state), r.output);
    }
  });
}
