import assert from "node:assert/strict";
import { HostVoice, type Speaker } from "../../runtime/pool/host_voice.ts";
import type { HostReport } from "../../runtime/pool/protocol.ts";
import { Tray, TRAY_BYTES } from "../../runtime/pool/tray.ts";
import { test } from "../harness.ts";

/** A voice with a thread; `heard` resolves with the next batch. */
function rig() {
  let next = Promise.withResolvers<HostReport[]>();
  let batches = 0;
  const voice = new HostVoice((batch) => {
    batches++;
    next.resolve(batch);
    next = Promise.withResolvers();
  });
  const memory = new SharedArrayBuffer(TRAY_BYTES);
  const speaker: Speaker = { slot: 1, tray: new Tray(memory) };
  return { voice, speaker, thread: new Tray(memory), heard: () => next.promise, batches: () => batches };
}

const ERROR = { name: "WorkerExit", message: "ended" };

test("HostVoice says what a thread had laid down before it says that the thread has ended, bell or none", async () => {
  const { voice, speaker, thread, heard } = rig();
  const batch = heard();
  voice.report(["said", 1, "before"]);
  thread.put("unread");
  voice.reportOf(speaker, ["ended", 1, ERROR]);
  assert.deepEqual(await batch, [["said", 1, "before"], ["said", 1, "unread"], ["ended", 1, ERROR]]);
});

test("HostVoice says likewise what lies there of a thread that was killed, or gives something back", async () => {
  for (const last of [["killed", 1, true], ["recalled", 1, 2]] satisfies HostReport[]) {
    const { voice, speaker, thread, heard } = rig();
    const batch = heard();
    thread.put("a");
    thread.put("b");
    voice.reportOf(speaker, last);
    assert.deepEqual(await batch, [["said", 1, "ab"], last]);
  }
});

test("HostVoice says once what lies there, with what comes first: the bell or something else", async () => {
  const { voice, speaker, thread, heard, batches } = rig();
  let batch = heard();
  thread.put("a");
  voice.rang(speaker);
  thread.put("b");
  assert.deepEqual(await batch, [["said", 1, "ab"]]);
  batch = heard();
  thread.put("c");
  voice.rang(speaker);
  voice.report(["rss", 5]);
  assert.deepEqual(await batch, [["rss", 5], ["said", 1, "c"]]);
  batch = heard();
  voice.rang(speaker);
  voice.report(["rss", 6]);
  assert.deepEqual(await batch, [["rss", 6]]);
  assert.equal(batches(), 3);
});

test("HostVoice speaks of a thread that has not shared its memory", async () => {
  const { voice, heard } = rig();
  const batch = heard();
  voice.rang({ slot: 2, tray: undefined });
  voice.reportOf({ slot: 2, tray: undefined }, ["ended", 2, ERROR]);
  assert.deepEqual(await batch, [["ended", 2, ERROR]]);
});
