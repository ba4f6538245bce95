import assert from "node:assert/strict";
import { readReport, splitReports } from "../../runtime/pool/pool_texts.ts";
import type { Done } from "../../runtime/pool/protocol.ts";
import { Tray, TRAY_BYTES } from "../../runtime/pool/tray.ts";
import { WorkerVoice } from "../../runtime/pool/worker_voice.ts";
import { test } from "../harness.ts";

/** A voice, and what comes of it at the host: `fetch()` looks into the tray, `receive()` takes the next message. */
function rig() {
  const memory = new SharedArrayBuffer(TRAY_BYTES);
  const host = new Tray(memory);
  const way: (string | 0)[] = [];
  const voice = new WorkerVoice({
    post: (text) => void way.push(text),
    ring: () => void way.push(0),
    share() {},
    onMessage() {},
  }, new Tray(memory));
  const heard: string[] = [];
  const hear = (text: string) => {
    for (const one of splitReports(text)) {
      const report = readReport(one)?.report;
      if (report) heard.push("uuid" in report ? `${report.t} ${report.uuid}` : report.t);
    }
  };
  return {
    voice,
    way,
    heard,
    fetch: () => hear(host.fetch()),
    receive() {
      const next = way.shift();
      if (typeof next !== "string") return;
      host.received();
      hear(next);
    },
  };
}

function done(uuid: string, ok = true): Done {
  return { t: "done", uuid, ok, started: 1, finished: 2, heap: 3 };
}

test("WorkerVoice tells the end of a single attempt by a message, at once", () => {
  const { voice, way, receive, heard } = rig();
  voice.done(done("a"), "null", false);
  assert.deepEqual(way.map((one) => typeof one), ["string"]);
  receive();
  assert.deepEqual(heard, ["done a"]);
});

test("WorkerVoice lays down the ends of many, with one bell, and sends all with the last", () => {
  const { voice, way, receive, heard } = rig();
  for (const uuid of ["a", "b", "c"]) voice.done(done(uuid, uuid !== "b"), '"x"', true);
  assert.deepEqual(way, [0]);
  voice.done(done("d"), "null", false);
  assert.equal(way.length, 2);
  receive();
  receive();
  assert.deepEqual(heard, ["done a", "done b", "done c", "done d"]);
});

test("WorkerVoice keeps one order, whatever way each report takes and whenever the host looks", () => {
  // Every choice of the host's among so many looks: bit by bit whether it fetches, and whether it receives.
  for (let choice = 0; choice < 2 ** 12; choice++) {
    const { voice, way, receive, fetch, heard } = rig();
    const look = (bit: number) => {
      if (choice >> (2 * bit) & 1) fetch();
      if (choice >> (2 * bit) & 2) receive();
    };
    voice.done(done("a"), "null", true);
    look(0);
    voice.done(done("b"), "null", true);
    look(1);
    voice.say({ t: "timeout", uuid: "c", seconds: 1 });
    look(2);
    voice.done(done("c"), '"ä"', true);
    look(3);
    voice.done(done("d"), "null", true);
    look(4);
    voice.done(done("e", false), "{}", true);
    look(5);
    voice.done(done("f"), "null", false);
    while (way.length > 0) receive();
    fetch();
    const order = ["done a", "done b", "timeout c", "done c", "done d", "done e", "done f"];
    assert.deepEqual(heard, order, `${choice}`);
  }
});
