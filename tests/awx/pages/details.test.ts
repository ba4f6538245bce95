// @runtimes deno
/** The pages of the control plane in detail: filters, paging, what waits for what, all actions. */
import assert from "node:assert/strict";
import type { Credential } from "../../../runtime/http_access.ts";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import { test } from "../../harness.ts";
import { bearer } from "../../http/site.ts";
import { addEvents } from "./fixture.ts";
import { open, pagesOf, plain } from "./open.ts";

const CREDENTIALS: Credential[] = [{ kind: "bearer", role: "viewer", name: "screen", token: "viewer-token" }];

/** Ids of the jobs in the list. */
const listed = (text: string) => [...text.matchAll(/data-key="j-(\d+)"/g)].map(([, id]) => Number(id));

test("the list begins with what needs attention, then what runs, what waits, what has ended", async (t) => {
  const { get, running, pending, failed, successful, update } = await open(t);
  const { text } = await get("/jobs");
  assert.match(plain(text), /deploy site has been pending for 8 min/);
  assert.match(plain(text), /error #\d+ deploy site 30 min .*ago: Node gamma has not been heard/);
  const ids = listed(text);
  const places = [running, pending, failed, successful].map((id) => ids.indexOf(id));
  assert.ok(places.every((place) => place >= 0), `${places}`);
  assert.deepEqual(places, places.toSorted((a, b) => a - b));
  const found = async (q: string) => listed((await get(`/jobs?q=${encodeURIComponent(q)}`)).text);
  assert.deepEqual(await found("status:pending"), [pending]);
  assert.ok((await found("kind:project_update status:running")).includes(update));
  assert.deepEqual(await found("template:99"), []);
  assert.ok((await found("template:project:1")).includes(update));
  assert.deepEqual(await found("node:gamma"), [failed + 1]);
  assert.ok((await found("status:successful depl")).includes(successful));
  const { text: wrong } = await get("/jobs?q=status:faild+templat:1");
  assert.match(plain(wrong), /No status "faild" \(did you mean "failed"\?\)/);
  assert.match(plain(wrong), /Cannot search by "templat:" \(did you mean "template"\?\)/);
});

test("pages of jobs lead from one to the next, each job once, also where much is looked through", async (t) => {
  const { get, sql } = await open(t);
  await sql.unsafe(
    `insert into awx.unified_job (kind, name, status, template_kind, template_id)
     select 'job', case when n % 250 = 0 then 'rare' else 'mass' end,
       case when n % 100 = 0 then 'pending' else 'successful' end, 'job_template', 1
     from generate_series(1, 30000) n`,
  );
  await sql.unsafe("analyze awx.unified_job");
  async function walk(q: string, most: number): Promise<{ ids: number[]; pages: string[] }> {
    const [ids, pages]: [number[], string[]] = [[], []];
    let path: string | undefined = `/jobs?q=${encodeURIComponent(q)}`;
    while (path && pages.length < most) {
      const { text } = await get(path);
      ids.push(...listed(text));
      pages.push(plain(text));
      path = /rel="next"\s+href="([^"]+)"/.exec(text)?.[1].replaceAll("&amp;", "&");
    }
    return { ids, pages };
  }
  const pending = await walk("status:pending", 99);
  assert.equal(pending.ids.length, 301);
  assert.equal(new Set(pending.ids).size, 301);
  const rare = await walk("rare", 99);
  assert.equal(new Set(rare.ids).size, 120);
  assert.equal(rare.ids.length, 120);
  assert.ok(rare.pages.some((text) => text.includes("were looked through")));
  const both = await walk("status:pending,successful template:1 rare", 99);
  assert.deepEqual(new Set(both.ids), new Set(rare.ids));
  assert.match(plain((await get("/jobs")).text), /successful 10,000\+/);
});

test("a pending job says what it waits for, and what waits for it is named there", async (t) => {
  const { get, sql, pending, running, update } = await open(t);
  const { text } = await get(`/jobs/${pending}`);
  const said = plain(text);
  assert.match(said, new RegExp(`It depends on #${update} site , which is running`));
  assert.match(said, new RegExp(`It is blocked by #${running} deploy site , which is running`));
  assert.match(
    plain((await get(`/jobs/${update}`)).text),
    new RegExp(`Needed by pending #${pending} deploy`),
  );
  assert.match(said, /created, pending [\d:]+ waiting not yet running not yet finished not yet/);
  await sql.unsafe("update awx.instance set enabled = false");
  assert.match(plain((await get(`/jobs/${pending}`)).text), /No node has capacity/);
  await sql.unsafe(
    `update awx.instance set enabled = true, capacity = 8 where hostname = 'alpha';
     update awx.unified_job set task_impact = 50 where status = 'pending'`,
  );
  assert.match(
    plain((await get(`/jobs/${pending}`)).text),
    /It takes 50 of capacity, and the most that is left is 1/,
  );
});

test("a waiting job says why its envelope does not run, and leads to it", async (t) => {
  const { get, client, sql, pending } = await open(t);
  const { uuid } = await client.publish("jobs/RunJob", [pending], { queue: "alpha" });
  await sql.unsafe(
    `update awx.unified_job set status = 'waiting', task_uuid = $2::uuid, execution_node = 'alpha' where id = $1::bigint`,
    [pending, uuid] as never[],
  );
  const { text } = await get(`/jobs/${pending}`);
  assert.match(text, new RegExp(`/envelopes/${uuid}`));
  assert.match(plain(text), /Its envelope: .*node/);
  assert.match(plain(text), /created [\d:]+ waiting [\d:]+ \+8 min/);
});

test("the output is the end of what was printed, numbered, a page at a time", async (t) => {
  const { get, sql, successful } = await open(t);
  await sql.unsafe(
    `insert into awx.job_event (job_id, uuid, counter, event, created, stdout, start_line, end_line)
     select $1::bigint, gen_random_uuid(), n, 'verbose', clock_timestamp() - interval '1 hour', 'line ' || n, n - 1, n
     from generate_series(1, 2500) n`,
    [successful] as never[],
  );
  const lines = (text: string) =>
    [...text.matchAll(/data-n="(\d+)"><span class="">line (\d+)</g)].map((found) =>
      found.slice(1, 3).map(Number)
    );
  const { text } = await get(`/jobs/${successful}`);
  const last = lines(text);
  assert.deepEqual([last.length, last[0], last.at(-1)], [1000, [1501, 1501], [2500, 2500]]);
  const [, older] = /rel="next"\s+href="([^"]+)">Older lines/.exec(text)!;
  const before = lines((await get(older.replaceAll("&amp;", "&").split("#")[0])).text);
  assert.deepEqual([before.length, before.at(-1)], [1000, [1500, 1500]]);
});

test("events are narrowed by host and to failures", async (t) => {
  const { get, failed, sql } = await open(t);
  const rows = (text: string) => text.match(/data-key="e-\d+"/g)?.length ?? 0;
  assert.equal(rows((await get(`/jobs/${failed}`)).text), 20);
  assert.equal(rows((await get(`/jobs/${failed}?host=web2`)).text), 3);
  assert.equal(rows((await get(`/jobs/${failed}?failed=yes`)).text), 2);
  assert.equal(rows((await get(`/jobs/${failed}?failed=yes&host=db1`)).text), 1);
  assert.match((await get(`/jobs/${failed}?host=nobody`)).text, /No event matches/);
  await sql.unsafe(
    "insert into awx.job_event_set_aside (job_id, event, reason, tries) values ($1::bigint, '{}', 'no counter', 3)",
    [failed] as never[],
  );
  assert.match(plain((await get(`/jobs/${failed}`)).text), /1 set aside 24 in all/);
  await addEvents(sql, failed, Array.from({ length: 60 }, () => ({ event: "verbose", host: "web9" })));
  const { text } = await get(`/jobs/${failed}?host=web9`);
  const [, older] = /rel="next"\s+href="([^"]+)">Older events/.exec(text)!;
  assert.equal(rows((await get(older.replaceAll("&amp;", "&").split("#")[0])).text), 10);
});

test("a job is relaunched whole, or on the hosts on which it failed", async (t) => {
  const { get, send, act, sql, failed, running, successful } = await open(t);
  const { location } = await send("/act/job/relaunch", { job: `${failed}` });
  assert.equal((await jobById(sql, Number(location.split("/").at(-1)))).spec.host_limit, "web*");
  assert.match(plain((await get(`/ask/job/relaunch_failed?job=${failed}`)).text), /on 2 hosts .* db1, web2/);
  const again = await send("/act/job/relaunch_failed", { job: `${failed}` });
  assert.match(again.text, /^Launched job \d+ "deploy site" again on 2 hosts$/);
  const job = await jobById(sql, Number(again.location.split("/").at(-1)));
  assert.deepEqual([job.spec.host_limit, job.launch_type], ["db1,web2", "relaunch"]);
  // Without a summary its failed events tell.
  await sql.unsafe("delete from awx.job_event where event = 'playbook_on_stats'");
  await send("/act/job/relaunch_failed", { job: `${failed}` });
  assert.match(
    await act("/act/job/relaunch", { job: `${running}` }),
    /Cannot relaunch job \d+: it is running/,
  );
  assert.match(await act("/act/job/relaunch_failed", { job: `${successful}` }), /no host on which it failed/);
});

test("an instance is disabled, enabled and adjusted", async (t) => {
  const { get, act, sql } = await open(t);
  const row = async () =>
    (await sql.unsafe(
      "select enabled, capacity, capacity_adjustment::float from awx.instance where hostname = 'alpha'",
    ))[0];
  assert.match(plain((await get("/instances")).text), /7 of 143 of its capacity is taken/);
  await act("/act/instance/adjust", { instance: "alpha", adjustment: "0.5" });
  assert.deepEqual({ ...await row() }, { enabled: true, capacity: 87, capacity_adjustment: 0.5 });
  assert.match(await act("/act/instance/disable", { instance: "alpha" }), /is given no more jobs/);
  assert.deepEqual({ ...await row() }, { enabled: false, capacity: 0, capacity_adjustment: 0.5 });
  assert.match(plain((await get("/instances")).text), /alpha disabled/);
  assert.match(await act("/act/instance/enable", { instance: "alpha" }), /is given jobs again/);
  assert.match(
    await act("/act/instance/adjust", { instance: "alpha", adjustment: "2" }),
    /it is no number from 0 to 1/,
  );
  assert.match(await act("/act/instance/enable", { instance: "nobody" }), /Cannot find instance "nobody"/);
});

test("a project and a source are updated now", async (t) => {
  const { act, project, source } = await open(t);
  assert.match(
    await act("/act/job/launch", { template: `project:${project}` }),
    /^Launched project update \d+ "site"$/,
  );
  assert.match(
    await act("/act/job/launch", { template: `inventory_source:${source}` }),
    /^Launched inventory update \d+ "production: from the project"$/,
  );
});

test("a viewer sees no buttons and launches nothing", async (t) => {
  const opened = await open(t, { http_auth: CREDENTIALS });
  const { ask, sql, template } = opened;
  const headers = bearer("viewer-token");
  for (const path of pagesOf(opened)) {
    assert.doesNotMatch(await (await ask(path, { headers })).text(), /\/act\/|\/ask\/|\/jobs\/launch"/, path);
  }
  const count = async () => (await sql.unsafe("select count(*)::int n from awx.unified_job"))[0].n;
  const before = await count();
  const body = new URLSearchParams({ template: `job_template:${template}` });
  assert.equal((await ask("/act/job/launch", { method: "POST", body, headers })).status, 403);
  assert.equal(await count(), before);
});

test("under a base path every link has it", async (t) => {
  const opened = await open(t, { http_base_path: "/ops" });
  for (const path of pagesOf(opened)) {
    const text = await (await opened.ask(`/ops${path}`)).text();
    const links = [...text.matchAll(/(?:href|src|action)="(\/[^"]*)"/g)].map(([, link]) => link);
    assert.ok(links.length > 10, path);
    assert.deepEqual(links.filter((link) => !link.startsWith("/ops")), [], path);
  }
});
