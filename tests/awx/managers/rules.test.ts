/** The rules of the task manager, one by one, as functions. */
import assert from "node:assert/strict";
import { byTurn } from "../../../tasks/managers/task_manager/order.ts";
import type { PendingJob } from "../../../tasks/managers/task_manager/world.ts";
import { test } from "../../harness.ts";
import { active, brief, group, instance, pending, plan, world } from "./jobs.ts";

const ROOMY = [instance("n1", 100)];
const update = (values: Partial<PendingJob> = {}) =>
  pending({ kind: "project_update", project_id: 3, ...values });
const job = (values: Partial<PendingJob> = {}) =>
  pending({ kind: "job", template_kind: "job_template", template_id: 7, project_id: 3, ...values });
const imports = (values: Partial<PendingJob> = {}) =>
  pending({ kind: "inventory_update", inventory_source_id: 5, inventory_id: 4, ...values });

/** What becomes of them with plenty of room. */
function started(jobs: PendingJob[], running: PendingJob[] = []): string[] {
  return plan(world(ROOMY, { active: running.map((job) => active(job)) }), jobs).map(brief);
}

test("one project update a project runs at a time", () => {
  assert.deepEqual(started([update({ project_id: 9 })], [update()]), ["n1"]);
  const running = update({ id: 1, name: "site" });
  assert.deepEqual(started([update(), update()], [running]), [
    "Waits for project update 1 (site), which has project 3",
    "Waits behind an earlier job for project 3",
  ]);
});

test("a job waits for an update of its project; running it holds none up", () => {
  assert.match(started([job()], [update()])[0], /^Waits for project update \d+, which has project 3$/);
  assert.deepEqual(started([update()], [job()]), ["n1"]);
});

test("a project update that waits is not overtaken by jobs of its project", () => {
  const running = imports({ project_id: 3 });
  const [first, second] = started([update(), job()], [running]);
  assert.match(first, /^Waits for inventory update/);
  assert.equal(second, "Waits behind an earlier job for project 3");
});

test("one inventory update a source runs at a time, of several sources at once", () => {
  assert.match(started([imports()], [imports()])[0], /which has inventory source 5$/);
  assert.deepEqual(started([imports({ inventory_source_id: 6 })], [imports()]), ["n1"]);
});

test("jobs and ad hoc commands wait for updates of their inventory; running they hold none up", () => {
  const uses = [job({ inventory_id: 4 }), pending({ inventory_id: 4 })];
  for (const why of started(uses, [imports()])) assert.match(why, /^Waits for inventory update/);
  assert.deepEqual(started([imports()], uses), ["n1"]);
});

test("an inventory update waits for an update of the project that it reads", () => {
  assert.match(started([imports({ project_id: 3 })], [update()])[0], /which has project 3$/);
});

test("one job a template runs at a time, unless it allows more", () => {
  assert.match(started([job()], [job()])[0], /which has job template 7$/);
  const free = { allow_simultaneous: true };
  assert.deepEqual(started([job(free), job(free)], [job(free)]), ["n1", "n1"]);
  const other = job({ id: 9, template_kind: "workflow_template", kind: "workflow_job", project_id: null });
  assert.deepEqual(started([job()], [other]), ["n1"]);
});

test("one system job runs at a time", () => {
  const system = () => pending({ kind: "system_job" });
  const [first, second] = started([system(), system()]);
  assert.equal(first, "n1");
  assert.match(second, /^Waits for system job \d+, which has the system$/);
});

test("what is blocked takes no capacity from what is not", () => {
  const jobs = [job({ task_impact: 90 }), pending({ task_impact: 90 })];
  assert.equal(started(jobs, [job({ task_impact: 10 })])[1], "n1");
});

test("a job starts after its dependencies, and fails with them, naming the one", () => {
  const dependency = (status: "pending" | "running" | "successful" | "failed" | "error" | "canceled") =>
    job({ dependencies: [{ id: 12, kind: "project_update", name: "site", status }] });
  assert.deepEqual(started([dependency("successful")]), ["n1"]);
  assert.deepEqual(started([dependency("running")]), ["Waits for project update 12 (site)"]);
  assert.deepEqual(started((["failed", "error", "canceled"] as const).map(dependency)), [
    "failed: A previous task failed: project update 12 (site)",
    "failed: A previous task ended with an error: project update 12 (site)",
    "failed: A previous task was canceled: project update 12 (site)",
  ]);
  const gone = job({ dependencies: [{ id: 12, kind: null, name: null, status: null }] });
  assert.deepEqual(started([gone]), ["failed: A previous task is gone: job 12"]);
});

test("what waits for a dependency keeps no place: the dependency may need the same", () => {
  const dependency = update();
  const waits = job({
    dependencies: [{ id: dependency.id, kind: "project_update", name: "", status: "pending" }],
  });
  assert.equal(started([waits, dependency])[1], "n1");
});

test("what is to be canceled ends, what is pending for too long fails and says why", () => {
  assert.deepEqual(started([pending({ cancel_flag: true })]), ["canceled: Canceled before it was started"]);
  const late = pending({ waited: 61, job_explanation: "Needs 5" });
  assert.deepEqual(plan(world(ROOMY), [late, pending({ waited: 59 })], { pendingTimeout: 60 }).map(brief), [
    "failed: Pending for more than 60 s (TASK_MANAGER_PENDING_TIMEOUT): Needs 5",
    "n1",
  ]);
});

test("a run starts no more than it may", () => {
  assert.deepEqual(plan(world(ROOMY), [pending(), pending(), pending()], { starts: 2 }).length, 2);
});

test("of the nodes of a group the one with the most capacity left is taken", () => {
  const nodes = [instance("n1", 10), instance("n2", 12)];
  const jobs = [pending({ task_impact: 4 }), pending({ task_impact: 4 }), pending({ task_impact: 7 })];
  assert.deepEqual(plan(world(nodes), jobs).map(brief), [
    "n2",
    "n1",
    "n2",
  ]);
});

test("a job that fits nowhere takes the largest idle node, and only one job is let in so", () => {
  const nodes = [instance("n1", 4), instance("n2", 6), instance("n3", 9)];
  const running = [active({ execution_node: "n3" })];
  const big = () => pending({ task_impact: 50 });
  assert.deepEqual(plan(world(nodes, { active: running }), [big(), big(), big()]).map(brief), [
    "n2",
    "n1",
    "Needs 50: n1 has 0 of 4 left, n2 has 0 of 6 left, n3 has 8 of 9 left",
  ]);
});

test("a node that is disabled, offline or draining is never taken", () => {
  const nodes = [instance("n1", 10, { enabled: false }), instance("n2", 0)];
  assert.deepEqual(plan(world(nodes), [pending()]).map(brief), ["No instance of group default is up"]);
});

test("groups are tried in their order, those that name none run in the group default", () => {
  const groups = [group(1, ["n1"]), group(2, ["n2"]), group(3, ["n3"])];
  const nodes = [instance("n1", 9), instance("n2", 3), instance("n3", 9)];
  const jobs = [[2, 3], [2, 3], [3, 2], [], [99]].map((instance_group_ids) =>
    pending({ instance_group_ids, task_impact: 3 })
  );
  assert.deepEqual(plan(world(nodes, { groups }), jobs).map(brief), ["n2", "n3", "n3", "n1", "n1"]);
});

test("a group has no more jobs and forks than it may, but always one", () => {
  const nodes = [instance("n1", 100)];
  const limited = (limits: { max_concurrent_jobs?: number; max_forks?: number }) =>
    world(nodes, { groups: [group(1, ["n1"], limits)] });
  const jobs = [pending({ task_impact: 8 }), pending({ task_impact: 1 })];
  assert.deepEqual(plan(limited({ max_concurrent_jobs: 1 }), jobs).map(brief), [
    "n1",
    "Group default runs its 1 jobs",
  ]);
  assert.deepEqual(plan(limited({ max_forks: 5 }), jobs).map(brief), [
    "n1",
    "Group default has 0 of its 5 forks left",
  ]);
  assert.deepEqual(plan(limited({ max_forks: 9 }), jobs).map(brief), ["n1", "n1"]);
});

test("a job that waits for forks of its group is not overtaken there, elsewhere it is", () => {
  const groups = [group(1, ["n1"], { max_forks: 9 }), group(2, ["n1"])];
  const given = world([instance("n1", 100)], { groups, active: [active({ task_impact: 5 })] });
  const jobs = [pending({ task_impact: 8 }), pending(), pending({ instance_group_ids: [2] })];
  assert.deepEqual(plan(given, jobs).map(brief), [
    "Group default has 4 of its 9 forks left",
    "Waits behind earlier jobs for capacity in group default",
    "n1",
  ]);
});

test("what is asked for by name is there and free, exactly, or the job waits", () => {
  const nodes = [instance("n1", 100), instance("n2", 50, { offers: { gpu: 2, cpu: 4 } })];
  const gpu = (amount: number) => pending({ resources: { gpu: amount } });
  assert.deepEqual(plan(world(nodes), [gpu(1), gpu(2), pending(), gpu(1), gpu(3)]).map(brief), [
    "n2",
    "Needs gpu 2: n2 has gpu 1 left",
    "n1",
    "Waits behind earlier jobs for capacity in group default",
    "No instance of group default has gpu 3",
  ]);
});

test("what is less urgent and preemptible makes way for what is asked for by name, once", () => {
  const offers = { gpu: 1 };
  const nodes = [instance("n1", 9, { offers }), instance("n2", 5, { offers })];
  const runs = (execution_node: string, values: Partial<PendingJob>) =>
    active({ execution_node, resources: { gpu: 1 }, priority: 5, ...values });
  const gpu = (priority: number, task_impact = 1) =>
    pending({ resources: { gpu: 1 }, priority, task_impact });
  const given = world(nodes, { active: [runs("n1", {}), runs("n2", { preemptible: true })] });
  const why = "Needs gpu 1: n1 has gpu 0 left, n2 has gpu 0 left";
  assert.deepEqual(plan(given, [gpu(4)]).map(brief), [why]);
  assert.deepEqual(plan(given, [gpu(5)], { preempts: true }).map(brief), [why]);
  assert.equal(
    brief(plan(given, [gpu(4, 5)], { preempts: true })[0]).startsWith("Needs"),
    true,
    "forks are not made",
  );
  const [first, second] = plan(given, [gpu(4), gpu(4)], { preempts: true }).map(brief);
  assert.deepEqual([first, second], ["n2", why]);
  const idle = world([...nodes, instance("n3", 1, { offers })], { active: given.active });
  assert.deepEqual(plan(idle, [gpu(4)], { preempts: true }).map(brief), ["n3"]);
});

test("parts of what is asked for by name add up exactly", () => {
  const nodes = [instance("n1", 100, { offers: { cpu: 0.3 } })];
  const jobs = [0.1, 0.2, 0.01].map((cpu) => pending({ resources: { cpu } }));
  assert.deepEqual(plan(world(nodes), jobs).map(brief), ["n1", "n1", "Needs cpu 0.01: n1 has cpu 0 left"]);
  const back = [0.2, 0.1].map((cpu) => pending({ resources: { cpu } }));
  assert.deepEqual(plan(world(nodes), back).map(brief), ["n1", "n1"]);
});

test("a job that does not fit is not overtaken by later ones in its group", () => {
  const nodes = [instance("n1", 10), instance("n2", 10)];
  const running = [active({ task_impact: 6 }), active({ task_impact: 6, execution_node: "n2" })];
  const groups = [group(1, ["n1", "n2"]), group(2, ["n3"])];
  const given = world([...nodes, instance("n3", 1)], { active: running, groups });
  const jobs = [pending({ task_impact: 5 }), pending(), pending({ instance_group_ids: [2] })];
  assert.deepEqual(plan(given, jobs).map(brief), [
    "Needs 5: n1 has 4 of 10 left, n2 has 4 of 10 left",
    "Waits behind earlier jobs for capacity in group default",
    "n3",
  ]);
});

test("what no node has is not waited for by others, nor is what it would need", () => {
  const impossible = update({ resources: { gpu: 1 } });
  assert.deepEqual(started([impossible, job(), pending()]), [
    "No instance of group default has gpu 1",
    "n1",
    "n1",
  ]);
});

test("smaller priorities go first, then who was launched earlier, then the smaller number", () => {
  const jobs = [
    pending({ priority: 1, waited: 50 }),
    pending({ priority: 0, waited: 10 }),
    pending({ priority: 0, waited: 20 }),
    pending({ priority: 0, waited: 20 }),
    pending({ priority: -1, waited: 0 }),
  ];
  assert.deepEqual(jobs.toSorted(byTurn), [jobs[4], jobs[2], jobs[3], jobs[1], jobs[0]]);
});

test("a minute of waiting is worth a step of priority: nothing starves", () => {
  const old = pending({ priority: 5 });
  for (let minutes = 0;; minutes++) {
    assert.ok(minutes <= 6, "it starves");
    const urgent = pending({ priority: 0, waited: 0 });
    const turn = [{ ...old, waited: minutes * 60 }, urgent].sort(byTurn);
    const [first] = plan(world([instance("n1", 1)]), turn);
    if (first.job.id === old.id) break;
  }
});
