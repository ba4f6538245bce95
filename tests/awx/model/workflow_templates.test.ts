// @runtimes deno
import assert from "node:assert/strict";
import { deleteJobTemplate, deleteWorkflow } from "../../../tasks/jobs/model/deletion.ts";
import { create } from "../../../tasks/jobs/model/table.ts";
import { JOB_TEMPLATES } from "../../../tasks/jobs/model/templates.ts";
import {
  createWorkflow,
  type GraphInput,
  updateWorkflow,
  workflowTemplateGraph,
} from "../../../tasks/jobs/model/workflow_templates.ts";
import { test } from "../../harness.ts";
import { awxDatabase } from "../database.ts";

test("createWorkflow() writes nodes and edges; updateWorkflow() replaces them", async (t) => {
  const { sql, client } = await awxDatabase(t);
  const { id } = await create(sql, JOB_TEMPLATES, { name: "run", kind: "command", command: ["true"] });
  const node = (identifier: string) => ({
    identifier,
    template_kind: "job_template" as const,
    template_id: id,
  });
  const graph: GraphInput = {
    nodes: [node("a"), { ...node("b"), all_parents_must_converge: true, extra_vars: { x: [1] } }, node("c")],
    edges: [{ parent: "a", child: "b", kind: "success" }, { parent: "c", child: "b", kind: "always" }],
  };
  const flow = await client.transaction((tx) => createWorkflow(tx, { name: "flow" }, graph));
  const written = await workflowTemplateGraph(sql, flow.id);
  assert.deepEqual(written.nodes.map(({ identifier }) => identifier), ["a", "b", "c"]);
  assert.deepEqual([written.nodes[1].all_parents_must_converge, written.nodes[1].extra_vars], [true, {
    x: [1],
  }]);
  const [a, b, c] = written.nodes.map((node) => node.id);
  assert.deepEqual(written.edges, [
    { parent_id: a, child_id: b, kind: "success" },
    { parent_id: c, child_id: b, kind: "always" },
  ]);
  await assert.rejects(deleteJobTemplate(sql, id), /"run": workflow template "flow" uses it/);
  await client.transaction((tx) => updateWorkflow(tx, flow.id, { name: "flow 2" }, { nodes: [node("z")] }));
  const replaced = await workflowTemplateGraph(sql, flow.id);
  assert.deepEqual([replaced.nodes.map(({ identifier }) => identifier), replaced.edges], [["z"], []]);
  await deleteWorkflow(sql, flow.id);
  await deleteJobTemplate(sql, id);
});

test("a graph that cannot be is refused as a whole, and a cycle is named", async (t) => {
  const { sql, client } = await awxDatabase(t);
  const { id } = await create(sql, JOB_TEMPLATES, { name: "run", kind: "command", command: ["true"] });
  const node = (identifier: string, template_id = id) => ({
    identifier,
    template_kind: "job_template" as const,
    template_id,
  });
  const edge = (parent: string, child: string) => ({ parent, child, kind: "success" as const });
  const nodes = [node("a"), node("b"), node("c")];
  const cases: [GraphInput, RegExp][] = [
    [{ nodes, edges: [edge("a", "b"), edge("b", "c"), edge("c", "a")] }, /"a" → "b" → "c" → "a" is a cycle/],
    [{ nodes, edges: [edge("a", "a")] }, /"a" → "a" is a cycle/],
    [{ nodes: [node("a"), node("a")] }, /two nodes are "a"/],
    [{ nodes, edges: [edge("a", "x")] }, /the edge from "a" to "x" needs a node "x"/],
    [{ nodes, edges: [edge("a", "b"), { ...edge("a", "b"), kind: "always" }] }, /two edges from "a" to "b"/],
    [{ nodes: [node("a", 99)] }, /node "a": there is no job template 99/],
    [{ nodes: [node("a b")] }, /nodes.0.identifier: .*: given "a b"/],
    [{ nodes: [] }, /a workflow has a node at least/],
  ];
  for (const [graph, message] of cases) {
    await assert.rejects(client.transaction((tx) => createWorkflow(tx, { name: "flow" }, graph)), message);
  }
  assert.equal((await sql.unsafe("select from awx.workflow_template")).length, 0);
});

test("a workflow does not run itself, not through others either", async (t) => {
  const { sql, client } = await awxDatabase(t);
  const { id } = await create(sql, JOB_TEMPLATES, { name: "run", kind: "command", command: ["true"] });
  const job = { identifier: "job", template_kind: "job_template" as const, template_id: id };
  const inner = (template_id: number) => ({
    nodes: [job, { identifier: "inner", template_kind: "workflow_template" as const, template_id }],
  });
  const one = await client.transaction((tx) => createWorkflow(tx, { name: "one" }, { nodes: [job] }));
  const two = await client.transaction((tx) => createWorkflow(tx, { name: "two" }, inner(one.id)));
  const three = await client.transaction((tx) => createWorkflow(tx, { name: "three" }, inner(two.id)));
  await assert.rejects(
    client.transaction((tx) => updateWorkflow(tx, one.id, {}, inner(three.id))),
    /Cannot update workflow template "one": it would run itself, "one" → "three" → "two" → "one"/,
  );
  await assert.rejects(
    client.transaction((tx) => updateWorkflow(tx, one.id, {}, inner(one.id))),
    /it would run itself, "one" → "one"/,
  );
  assert.equal((await workflowTemplateGraph(sql, one.id)).nodes.length, 1);
  await assert.rejects(deleteWorkflow(sql, two.id), /workflow template "three" uses it/);
});
