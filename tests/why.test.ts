import assert from "node:assert/strict";
import { type WhyCode, type WhyFacts, whyOf } from "../runtime/why.ts";
import { test } from "./harness.ts";

type NodeFacts = WhyFacts["nodes"][number];
const T = "2026-11-24T06:00:00.000Z";
const OWN = "0197f000-0000-7000-8000-000000000002";
const FREE = { blocked: false, paused: false, head: null, ahead: 0, waited: 0, preempted: 0, victims: [] };
const HEAD = "0197f000-0000-7000-8000-000000000001";

const node = (fields: Partial<NodeFacts> = {}): NodeFacts => ({
  name: "n1",
  alive: true,
  state: "running",
  queues: ["default", "n1"],
  busy: 0,
  max: 4,
  last_seen: T,
  ...fields,
});

interface Given {
  row?: Partial<WhyFacts["row"]>;
  holdups?: Partial<NonNullable<WhyFacts["holdups"]>> | null;
  nodes?: NodeFacts[];
  worker?: string | null;
}

function facts({ row = {}, holdups = {}, nodes = [node()], worker }: Given): WhyFacts {
  return {
    row: {
      uuid: OWN,
      priority: 0,
      options: {},
      state: "available",
      queue: "default",
      attempt: 0,
      max_attempts: null,
      due_at: null,
      node: null,
      claimed_at: null,
      finished_at: null,
      cancel_at: null,
      error: null,
      attempts: [],
      ...row,
    },
    holdups: holdups === null ? null : { ...FREE, ...holdups },
    nodes,
    worker,
  };
}

const failed = {
  attempt: 1,
  node: "n1",
  outcome: "retry",
  finished_at: T,
  error: { name: "UnknownTaskError", message: "'x' is not a valid task: no file x.ts" },
};
const runs = { state: "running", node: "n1", claimed_at: T, attempt: 2 } as const;
const asks = (resources: Record<string, number>) => ({ options: { resources } });
const gpus = (name: string, gpu: number, used: number, reserved: string | null = null) =>
  node({ name, resources: { offers: { cpu: 2, gpu }, used: { gpu: used }, ageing: 60, reserved } });
const blocked = { blocked: true, head: { uuid: HEAD, state: "running" } } as const;

const CASES: [name: string, given: Given, expected: [WhyCode, string][]][] = [
  ["what asks for what nobody has", { row: asks({ tape: 1 }), nodes: [gpus("a", 1, 0), node()] }, [
    ["no_resources", "No live node offers tape"],
  ]],
  ["what asks for more than anybody has", {
    row: asks({ gpu: 3, cpu: 1 }),
    nodes: [gpus("a", 1, 0), gpus("b", 2, 0)],
  }, [
    ["no_resources", 'No live node offers 3 gpu: "a" offers 1 gpu, "b" offers 2 gpu'],
  ]],
  [
    "what asks for what is in use",
    { row: asks({ gpu: 2 }), nodes: [gpus("a", 1, 0), gpus("b", 2, 1, OWN)] },
    [
      ["resources", 'It waits for 2 gpu: node "b" offers 2, in use 1'],
      ["reserved", 'Node "b" holds room for it: nobody behind it takes that'],
    ],
  ],
  ["what asks for what is free", { row: asks({ gpu: 1 }), nodes: [gpus("a", 1, 0)] }, [
    ["imminent", "A node is about to claim it"],
  ]],
  ["what has waited for long", {
    row: { priority: 5 },
    holdups: { waited: 190, ahead: 1 },
    nodes: [gpus("a", 1, 0)],
  }, [
    ["queue_ahead", '1 available in queue "default" go before it'],
    ["aged", "It has aged from priority 5 to 2: a step each 60 s"],
  ]],
  ["what something makes way for, and what was stopped", { holdups: { victims: ["a"], preempted: 2 } }, [
    ["preempts", 'Something less urgent runs on "a", and is stopped for it where that helps'],
    ["preempted", "It was stopped for something more urgent 2 times"],
  ]],
  ["what runs and gives way", { row: { ...runs, options: { preemptible: true } } }, [
    ["running", `It runs on node "n1", since ${T}, attempt 2`],
    ["preemptible", "It gives way to what is more urgent: then it is stopped, and runs again"],
  ]],
  ["what nothing holds back", {}, [["imminent", "A node is about to claim it"]]],
  ["a paused queue", { holdups: { paused: true } }, [["paused", 'Queue "default" is paused']]],
  ["no node at all", { nodes: [] }, [["no_node", "No node is alive"]]],
  ["dead nodes only", { nodes: [node({ alive: false })] }, [["no_node", "No node is alive"]]],
  ["a queue that nobody consumes", { row: { queue: "mail" } }, [
    ["no_consumer", 'No live node consumes queue "mail"; alive: "n1" (default, n1)'],
  ]],
  ["a broadcast that nobody has taken", { row: { queue: "broadcast" }, nodes: [], holdups: null }, [
    ["broadcast", "It is an entry of the broadcast log that no node has a copy of yet"],
    ["no_node", "No node is alive"],
  ]],
  ["the queue of a node that is gone", {
    row: { queue: "n2" },
    nodes: [node(), node({ name: "n2", alive: false, queues: ["n2"] })],
  }, [["no_consumer", `Its node "n2" is not alive, last seen at ${T}`]]],
  ["nodes that drain", { nodes: [node({ state: "draining" })] }, [
    ["draining", 'All nodes of queue "default" are draining: "n1"'],
  ]],
  ["full pools", {
    nodes: [node({ busy: 4 }), node({ name: "n2", queues: ["other"] })],
    holdups: { ahead: 3 },
  }, [
    ["full_pool", 'All slots are busy on the nodes of queue "default": "n1" 4 of 4'],
    ["queue_ahead", '3 available in queue "default" go before it'],
  ]],
  ["one full pool of two", { nodes: [node({ busy: 4 }), node({ name: "n2" })], holdups: { ahead: 1_000 } }, [
    ["queue_ahead", '1000 or more available in queue "default" go before it'],
  ]],
  ["a time to come", { row: { state: "scheduled", due_at: T } }, [["scheduled", `It is scheduled for ${T}`]]],
  ["a time to come in a paused queue without a node", {
    row: { state: "scheduled", due_at: T, queue: "mail" },
    holdups: { paused: true },
  }, [
    ["scheduled", `It is scheduled for ${T}`],
    ["paused", 'Queue "mail" is paused'],
    ["no_consumer", 'No live node consumes queue "mail"; alive: "n1" (default, n1)'],
  ]],
  ["an equal one before it", { row: { state: "scheduled" }, holdups: blocked }, [
    ["duplicate", `It waits behind an equal one, ${HEAD}, which is running`],
  ]],
  ["an equal one and a time", { row: { state: "scheduled", due_at: T }, holdups: blocked }, [
    ["scheduled", `It is scheduled for ${T}`],
    ["duplicate", `It waits behind an equal one, ${HEAD}, which is running`],
  ]],
  ["an equal one that is gone just now", { row: { state: "scheduled" }, holdups: { blocked: true } }, [
    ["staging", "No equal one is before it any more: the leader lets it go next"],
  ]],
  ["a further attempt", { row: { state: "retryable", due_at: T, attempt: 1, attempts: [failed] } }, [
    ["retryable", `It is tried again at ${T}, after attempt 1`],
    ["failed_before", `Attempt 1 failed on node "n1" at ${T}: UnknownTaskError: ${failed.error.message}`],
  ]],
  ["an interruption, which is no failure", {
    row: { attempts: [{ ...failed, outcome: "released" }] },
  }, [["imminent", "A node is about to claim it"]]],
  ["what runs, with its worker", { row: runs, worker: "17.3" }, [
    ["running", `It runs on node "n1", worker 17.3, since ${T}, attempt 2`],
  ]],
  ["what runs on a node that does not answer", { row: runs }, [
    ["running", `It runs on node "n1", since ${T}, attempt 2`],
  ]],
  ["what is claimed and waits for a slot", { row: runs, worker: null }, [
    ["claimed", `Node "n1" has claimed it at ${T}; it waits there for a slot`],
  ]],
  ["what runs on a dead node and is to end", {
    row: { ...runs, cancel_at: T },
    nodes: [node({ alive: false })],
  }, [
    ["running", `It runs on node "n1", since ${T}, attempt 2`],
    ["node_lost", 'Node "n1" is not alive: when its lease has ended it is given back, and runs elsewhere'],
    ["cancel_requested", `Its end was asked for at ${T}`],
  ]],
  ["what completed", {
    row: { state: "completed", node: "n1", attempt: 1, finished_at: T, error: { name: "E", message: "old" } },
    holdups: null,
  }, [["completed", `It was completed at ${T} on node "n1" in attempt 1`]]],
  ["what was cancelled before it ran", { row: { state: "cancelled", finished_at: T }, holdups: null }, [
    ["cancelled", `It was cancelled at ${T} before it ran`],
  ]],
  ["what was discarded", {
    row: {
      state: "discarded",
      node: "n1",
      attempt: 3,
      finished_at: T,
      error: { name: "RangeError", message: "no" },
    },
    holdups: null,
  }, [["discarded", `It was discarded at ${T} on node "n1" in attempt 3: RangeError: no`]]],
];

for (const [name, given, expected] of CASES) {
  test(`whyOf() explains ${name}`, () => {
    assert.deepEqual(whyOf(facts(given)).map(({ code, text }) => [code, text]), expected);
  });
}
