import assert from "node:assert/strict";
import fc from "fast-check";
import { Ledger } from "../runtime/dispatch/ledger.ts";
import {
  askedBy,
  demandOf,
  fits,
  lacking,
  minus,
  plus,
  preemptibleBy,
  readResources,
  type Resources,
  resourcesOf,
  resourcesText,
  resourcesWords,
  usageWords,
} from "../runtime/resources.ts";
import { offersOf } from "../runtime/scheduling.ts";
import { test } from "./harness.ts";

test("resourcesOf() reads what resourcesText() writes, and nothing else", () => {
  assert.deepEqual(resourcesOf("cpu=2, gpu=0.5"), { cpu: 2, gpu: 0.5 });
  assert.equal(resourcesText({ gpu: 0.5, cpu: 2, none: 0 }), "cpu=2,gpu=0.5");
  for (
    const text of [
      "",
      "cpu",
      "cpu=",
      "=1",
      "cpu=1=2",
      "cpu=x",
      "cpu=-1",
      "1cpu=1",
      "cpu=1,",
      "cpu=1e13",
      "c p=1",
    ]
  ) {
    assert.equal(resourcesOf(text), undefined, text);
  }
  const amounts = fc.dictionary(
    fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,9}$/),
    fc.double({ min: 1e-6, max: 1e12, noNaN: true }),
  );
  fc.assert(fc.property(amounts, (given) => {
    const text = resourcesText(given);
    if (text !== "") assert.deepEqual({ ...resourcesOf(text) }, { ...given });
  }));
});

test("demandOf() and askedBy() read options, and take what cannot be read for nothing", () => {
  assert.deepEqual(demandOf('{"resources":{"gpu":1}}'), { gpu: 1 });
  assert.deepEqual(askedBy('{"resources":{}}'), {});
  assert.equal(askedBy('{"guid":"resources"}'), undefined);
  for (const odd of ['{"resources":null}', '{"resources":{"gpu":-1}}', '{"guid":"\\"resources\\""}', "{}"]) {
    assert.deepEqual(demandOf(odd), {}, odd);
  }
  assert.deepEqual(
    ["{}", '{"preemptible":true}', '{"preemptible":false}', '{"preemptible":1}'].map(preemptibleBy),
    [
      undefined,
      true,
      false,
      undefined,
    ],
  );
  assert.match(readResources({ gpu: "x" }) as string, /^gpu: /);
});

test("fits() and lacking() take what is not offered for 0, and forgive what sums lose", () => {
  assert.ok(fits({ gpu: 0 }, {}));
  assert.ok(!fits({ gpu: 1 }, { cpu: 9 }));
  assert.deepEqual(lacking({ cpu: 2, gpu: 1, tape: 1 }, { cpu: 1, gpu: 1 }), ["cpu", "tape"]);
  const tenths = Array.from({ length: 9 }, (): Resources => ({ cpu: 0.1 })).reduce(plus);
  assert.ok(fits({ cpu: 0.1 }, minus({ cpu: 1 }, tenths)), "the last of ten");
  assert.ok(!fits({ cpu: 0.11 }, minus({ cpu: 1 }, tenths)));
});

test("what people read of resources", () => {
  assert.equal(resourcesWords({ gpu: 2, none: 0, memoryMb: 512 }), "2 gpu and 512 memoryMb");
  assert.equal(usageWords({ offers: { gpu: 1, cpu: 4 }, used: { cpu: 1 } }), "cpu 1 of 4, gpu 0 of 1");
});

test("offersOf() adds the machine's processors and memory, unless told", () => {
  const { cpu, memoryMb, gpu } = offersOf({ gpu: 1 });
  assert.ok(cpu >= 1 && memoryMb > 16 && gpu === 1, `${cpu} ${memoryMb}`);
  assert.equal(offersOf({ cpu: 0 }).cpu, 0);
});

test("Ledger knows who holds what, and keeps what lingers until its process is gone", () => {
  const ledger = new Ledger({ gpu: 2 });
  ledger.take("a", { gpu: 1 });
  ledger.take("b", { gpu: 1 });
  ledger.take("c", {});
  assert.deepEqual([ledger.used, ledger.free, ledger.of("a")], [{ gpu: 2 }, { gpu: 0 }, { gpu: 1 }]);
  ledger.linger("a", 7);
  ledger.linger("c", 7);
  assert.deepEqual([ledger.gone(8), ledger.release("b"), ledger.release("b")], [false, true, false]);
  assert.deepEqual(ledger.used, { gpu: 1 });
  assert.deepEqual([ledger.gone(7), ledger.used], [true, {}]);
});
