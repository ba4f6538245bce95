/** What jobs need first, as a function. */
import assert from "node:assert/strict";
import { type Launched, Needs, type Source } from "../../../tasks/managers/dependency_manager/plan.ts";
import { test } from "../../harness.ts";

const PROJECT = { id: 1, update_on_launch: true, fresh: false, underway: null };
const SOURCE: Source = {
  id: 2,
  inventory_id: 3,
  project_id: null,
  update_on_launch: true,
  fresh: false,
  underway: null,
};
const job = (values: Partial<Launched> = {}): Launched => ({
  id: 9,
  kind: "job",
  project_id: 1,
  inventory_id: 3,
  priority: 0,
  ...values,
});
const PROJECT_UPDATE = { create: "project", of: 1, needs: [] };

test("a job needs updates of its project and of all sources of its inventory that update on launch", () => {
  const sources = [SOURCE, { ...SOURCE, id: 4 }, { ...SOURCE, id: 5, update_on_launch: false }, {
    ...SOURCE,
    id: 6,
    inventory_id: 7,
  }];
  assert.deepEqual(new Needs({ projects: [PROJECT], sources }).of(job()), [
    PROJECT_UPDATE,
    { create: "inventory_source", of: 2, needs: [] },
    { create: "inventory_source", of: 4, needs: [] },
  ]);
  assert.deepEqual(
    new Needs({ projects: [{ ...PROJECT, update_on_launch: false }], sources: [] }).of(job()),
    [],
  );
});

test("a source that is filled from a project needs that project's update first, the same as the job's", () => {
  const needs = new Needs({ projects: [PROJECT], sources: [{ ...SOURCE, project_id: 1 }] });
  const [project, source] = needs.of(job());
  assert.deepEqual(source, { create: "inventory_source", of: 2, needs: [PROJECT_UPDATE] });
  assert.equal((source as { needs: unknown[] }).needs[0], project);
  assert.deepEqual(needs.of(job({ kind: "inventory_update" })), [project]);
});

test("what is under way is waited for, what is fresh is not", () => {
  const needs = (project: object, source: object) =>
    new Needs({ projects: [{ ...PROJECT, ...project }], sources: [{ ...SOURCE, ...source }] }).of(job());
  assert.deepEqual(needs({ underway: 11 }, { fresh: true }), [{ job: 11 }]);
  assert.deepEqual(needs({ fresh: true }, { underway: 12, fresh: true }), [{ job: 12 }]);
});

test("jobs of one run share an update", () => {
  const needs = new Needs({ projects: [PROJECT], sources: [SOURCE] });
  const [first, second] = [needs.of(job()), needs.of(job({ id: 10 }))];
  assert.equal(first.length, 2);
  first.forEach((need, n) => assert.equal(need, second[n]));
});
