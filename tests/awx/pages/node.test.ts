/** A real node serves the pages of the control plane, with the library that lays graphs out. */
import assert from "node:assert/strict";
import { connect } from "../../../mod.ts";
import { MIGRATIONS } from "../../../tasks/jobs/model/migrations.ts";
import { cluster } from "../../integration/cluster.ts";
import { test } from "../../harness.ts";

test("a node shows jobs and draws workflows", async (t) => {
  const { url, node } = await cluster(t);
  const client = await connect({ databaseUrl: url, migrations: MIGRATIONS });
  t.after(() => client.close());
  // It has ended: no manager touches it.
  await client.database().unsafe(
    `with j as (insert into awx.unified_job (kind, name, status, dependencies_processed)
         values ('workflow_job', 'nightly', 'successful', true) returning id),
       n as (insert into awx.workflow_job_node (workflow_job_id, identifier, template_kind, template_id)
         select j.id, name, 'system', 1 from j, unnest('{first,second}'::text[]) name returning id)
     insert into awx.workflow_job_edge select min(id), max(id), 'success' from n`,
  );
  const { http } = await node({ name: "n1", workers: 1, http: true, extension: true });
  const get = async (path: string) => {
    const answer = await fetch(`${http}${path}`);
    assert.equal(answer.status, 200, path);
    return await answer.text();
  };
  assert.match(await get("/"), /href="\/jobs" data-go="b"/);
  const [, id] = /href="\/workflows\/(\d+)">nightly</.exec(await get("/jobs"))!;
  const graph = await get(`/workflows/${id}`);
  assert.match(graph, /second: not run\. system job/);
  assert.match(graph, /class="edge success"\s+d="M[\d.,]+ /);
});
