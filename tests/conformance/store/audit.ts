import assert from "node:assert/strict";
import type { AuditEntry } from "../../../runtime/store/operator.ts";
import type { StoreTest } from "./moves.ts";

const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  who: "ann",
  how: "basic",
  address: "10.0.0.1",
  node: "n",
  action: "cancel",
  target: "0199",
  count: 1,
  ok: true,
  detail: {},
  ...more,
});

export function auditing(test: StoreTest): void {
  test("audits() gives back what audit() kept, the latest first, page by page", async (store) => {
    const odd = entry({
      who: 'o"d\\{,}',
      target: "null",
      detail: { text: 'a "b" \u0000 {', list: [1, null] },
    });
    await store.audit([odd, entry({ action: "purge", ok: false, count: 0 })]);
    await store.audit([entry({ who: "bob", how: "proxy", count: 2_000_000_000 })]);
    const all = await store.audits({ limit: 10 });
    assert.deepEqual(all.map(({ id: _, at: __, ...row }) => row), [
      entry({ who: "bob", how: "proxy", count: 2_000_000_000 }),
      entry({ action: "purge", ok: false, count: 0 }),
      odd,
    ]);
    const [first] = await store.audits({ limit: 1 });
    assert.deepEqual(first, all[0]);
    assert.deepEqual([...await store.audits({ limit: 10, before: first.id })], all.slice(1));
    assert.deepEqual([...await store.audits({ limit: 10, before: all[2].id })], []);
  });

  test("audits() can be narrowed by who and what", async (store) => {
    await store.audit([entry(), entry({ who: "bob" }), entry({ action: "purge" })]);
    const found = async (filter: { who?: string; action?: string }) =>
      (await store.audits({ limit: 10, ...filter })).map(({ who, action }) => `${who} ${action}`);
    assert.deepEqual(await found({ who: "bob" }), ["bob cancel"]);
    assert.deepEqual(await found({ action: "purge" }), ["ann purge"]);
    assert.deepEqual(await found({ action: "purge", who: "bob" }), []);
  });
}
