/**
 * A world of plain objects in which the managers' plans are carried out, with ends by chance. Small numbers, so that jobs
 * are in each other's way.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Need, Needs } from "../../../tasks/managers/dependency_manager/plan.ts";
import { byTurn } from "../../../tasks/managers/task_manager/order.ts";
import { Planner, type Verdict } from "../../../tasks/managers/task_manager/plan.ts";
import type { Group, Instance, PendingJob } from "../../../tasks/managers/task_manager/world.ts";
import { group, instance, pending } from "./jobs.ts";
import { checkUnderway, exclude, readsWhatIsUpdated, type SeenJob } from "./laws.ts";

/** What is launched and what chance brings. */
export interface Script {
  instances: Instance[];
  groups: Group[];
  /** By number - 1: whether it updates on launch. */
  projects: boolean[];
  sources: { inventory_id: number; project_id: number | null; update_on_launch: boolean }[];
  launches: Partial<PendingJob>[];
  /** Launched in each step. */
  pace: number;
  /** What all choices are drawn from. */
  seed: number;
}

const id = (most: number) => fc.integer({ min: 1, max: most });
const optional = (most: number) => fc.option(id(most));
const HOSTS = ["n1", "n2", "n3"];

const common = {
  priority: fc.integer({ min: -2, max: 2 }),
  task_impact: fc.integer({ min: 1, max: 7 }),
  instance_group_ids: fc.constantFrom<number[]>([], [2], [3], [2, 3]),
  resources: fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.record({ gpu: id(3) }) },
  ),
};
const launch: fc.Arbitrary<Partial<PendingJob>> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      ...common,
      kind: fc.constant("job" as const),
      template_kind: fc.constant("job_template"),
      template_id: id(3),
      project_id: optional(2),
      inventory_id: optional(2),
      allow_simultaneous: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ ...common, kind: fc.constant("project_update" as const), project_id: id(2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...common,
      kind: fc.constant("inventory_update" as const),
      inventory_source_id: id(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...common, kind: fc.constant("system_job" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ ...common, kind: fc.constant("ad_hoc_command" as const), inventory_id: id(2) }),
  },
);

/** Scripts over three nodes. */
export const script: fc.Arbitrary<Script> = fc.record({
  instances: fc.tuple(
    ...HOSTS.map((hostname) =>
      fc.record({ capacity: fc.integer({ min: 1, max: 10 }), gpu: fc.integer({ min: 0, max: 2 }) })
        .map(({ capacity, gpu }) => instance(hostname, capacity, { offers: { gpu } }))
    ),
  ),
  groups: fc.tuple(
    fc.constant(group(1, HOSTS)),
    ...[2, 3].map((number) =>
      fc.record({
        hostnames: fc.subarray(HOSTS, { minLength: 1 }),
        max_concurrent_jobs: fc.integer({ min: 0, max: 2 }),
        max_forks: fc.constantFrom(0, 4, 6),
      }).map(({ hostnames, ...limits }) => group(number, hostnames, limits))
    ),
  ),
  projects: fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }),
  sources: fc.array(
    fc.record({ inventory_id: id(2), project_id: optional(2), update_on_launch: fc.boolean() }),
    { minLength: 3, maxLength: 3 },
  ),
  launches: fc.array(launch, { minLength: 1, maxLength: 25 }),
  pace: id(6),
  seed: fc.nat(),
});

type SimJob = PendingJob & SeenJob & { processed: boolean };

/** Carries a script out. */
export class Simulation {
  readonly #script: Script;
  readonly jobs: SimJob[] = [];
  #down: string | undefined;
  #state: number;

  constructor(script: Script) {
    this.#script = script;
    this.#state = script.seed;
  }

  /** To the end: all jobs are final, but those that no node could run. */
  run(): void {
    const launches = [...this.#script.launches];
    for (let step = 0; launches.length > 0 || this.#open().length > 0; step++) {
      assert.ok(step < 1_000, "it does not come to an end");
      for (const values of launches.splice(0, this.#script.pace)) this.#launch(values);
      this.#dependencies();
      const moved = this.#tasks();
      const idle = !moved && this.#active().length === 0;
      if (launches.length === 0) {
        if (idle && this.#down === undefined) return this.#checkLeft();
        this.#down = undefined;
      }
      this.#chance();
      for (const job of this.#open()) job.waited += 20;
    }
  }

  #open = () => this.jobs.filter(({ status }) => ["pending", "waiting", "running"].includes(status));
  #active = () => this.#open().filter(({ status }) => status !== "pending");
  /** Mulberry32. */
  #draw(most: number): number {
    this.#state = this.#state + 0x6D2B79F5 | 0;
    let mixed = Math.imul(this.#state ^ this.#state >>> 15, 1 | this.#state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) % most;
  }

  #launch(values: Partial<PendingJob>, depends_on?: number[]): SimJob {
    const source = values.kind === "inventory_update"
      ? this.#script.sources[values.inventory_source_id! - 1]
      : undefined;
    const job = {
      ...pending({ ...values, id: this.jobs.length + 1 }),
      ...(source && { inventory_id: source.inventory_id, project_id: source.project_id }),
      status: "pending",
      execution_node: "",
      instance_group_id: null,
      depends_on: depends_on ?? [],
      processed: depends_on !== undefined,
    };
    this.jobs.push(job);
    return job;
  }

  /** The dependency manager. */
  #dependencies(): void {
    const underway = (key: "project_id" | "inventory_source_id", kind: string, of: number) =>
      this.#open().find((job) => job.kind === kind && job[key] === of)?.id ?? null;
    const { projects, sources } = this.#script;
    const needs = new Needs({
      projects: projects.map((update_on_launch, n) => ({
        id: n + 1,
        update_on_launch,
        fresh: this.#draw(3) === 0,
        underway: underway("project_id", "project_update", n + 1),
      })),
      sources: sources.map((source, n) => ({
        ...source,
        id: n + 1,
        fresh: this.#draw(3) === 0,
        underway: underway("inventory_source_id", "inventory_update", n + 1),
      })),
    });
    const made = new Map<Need, number>();
    for (const job of this.jobs.filter(({ processed }) => !processed)) {
      job.processed = true;
      if (job.kind !== "job" && job.kind !== "inventory_update") continue;
      const wanted = needs.of({ ...job, kind: job.kind }).filter((need) =>
        !("job" in need) || need.job !== job.id
      );
      job.depends_on = wanted.map((need) => this.#need(need, made));
    }
  }

  #need(need: Need, made: Map<Need, number>): number {
    if ("job" in need) return need.job;
    const known = made.get(need);
    if (known !== undefined) return known;
    const below = need.needs.map((one) => this.#need(one, made));
    const { id } = need.create === "project"
      ? this.#launch({ kind: "project_update", project_id: need.of }, below)
      : this.#launch({ kind: "inventory_update", inventory_source_id: need.of }, below);
    made.set(need, id);
    return id;
  }

  /** The task manager; whether it changed anything. */
  #tasks(): boolean {
    const waiting = this.jobs.filter(({ status, processed }) => status === "pending" && processed).sort(
      byTurn,
    );
    for (const job of waiting) {
      job.dependencies = job.depends_on.map((id) => this.jobs[id - 1]) as PendingJob["dependencies"];
    }
    const site = this.#site();
    const planner = new Planner({ ...site, active: this.#active() }, {
      starts: 1 + this.#draw(9),
      pendingTimeout: 0,
      preempts: false,
    });
    const verdicts: Verdict[] = [];
    for (const job of waiting) {
      if (planner.full) break;
      // The statuses that it looks at are those from before the run.
      verdicts.push(planner.consider(structuredClone(job)));
    }
    for (const verdict of verdicts) this.#apply(verdict);
    checkUnderway(this.jobs, site);
    this.#checkOrder(verdicts);
    return verdicts.some((verdict) => verdict.do !== "wait");
  }

  #site(): Pick<Script, "instances" | "groups"> {
    const { instances, groups } = this.#script;
    return {
      groups,
      instances: instances.map((one) => one.hostname === this.#down ? { ...one, capacity: 0 } : one),
    };
  }

  #apply(verdict: Verdict): void {
    const job = this.jobs[verdict.job.id - 1];
    if (verdict.do === "end") job.status = verdict.status;
    if (verdict.do !== "start") return;
    const updates = this.#active().filter((other) => readsWhatIsUpdated(job, other));
    assert.equal(updates.length, 0, `${job.id} reads what is updated`);
    Object.assign(job, { status: "waiting", execution_node: verdict.node, instance_group_id: verdict.group });
  }

  /**
   * First in, first out in a group: whoever was kept waiting though nothing was in his way but capacity saw none of those
   * behind him, with the same groups, start.
   */
  #checkOrder(verdicts: readonly Verdict[]): void {
    const plain = (verdict: Verdict) => Object.keys(verdict.job.resources).length === 0;
    verdicts.forEach((verdict, n) => {
      if (verdict.do !== "wait" || !plain(verdict) || !this.#free(verdict.job, verdicts.slice(0, n))) return;
      const groups = `${verdict.job.instance_group_ids}`;
      const later = verdicts.slice(n + 1).find((other) =>
        other.do === "start" && plain(other) && `${other.job.instance_group_ids}` === groups
      );
      assert.equal(later, undefined, `${later?.job.id} overtook ${verdict.job.id}: ${verdict.explanation}`);
    });
  }

  /** Nothing under way, and nothing before it by turn, keeps it from running. */
  #free(job: PendingJob, before: readonly Verdict[]): boolean {
    if (job.dependencies.some(({ status }) => status !== "successful")) return false;
    const others = [
      ...this.#active(),
      ...before.filter(({ do: what }) => what !== "end").map(({ job }) => job),
    ];
    return !others.some((other) =>
      exclude(job, other) || readsWhatIsUpdated(job, other) || readsWhatIsUpdated(other, job)
    );
  }

  /** What runs may end in any way, what is pending may be canceled, a node may die with what it runs. */
  #chance(): void {
    for (const job of this.#active()) {
      job.status = "running";
      const end = this.#draw(6);
      if (end < 3) job.status = end === 0 ? "failed" : "successful";
    }
    const [some] = this.#open();
    if (some && this.#draw(20) === 0) some.status = "canceled";
    if (this.#draw(10) === 0) this.#down = this.#down === undefined ? HOSTS[this.#draw(3)] : undefined;
    for (const job of this.#active()) if (job.execution_node === this.#down) job.status = "error";
  }

  /** Only what no node of its groups has is left, and what waits for that. */
  #checkLeft(): void {
    for (const { id, resources, instance_group_ids, dependencies } of this.#open()) {
      const { groups, instances } = this.#script;
      const names = groups.filter((one) =>
        (instance_group_ids.length ? instance_group_ids : [1]).includes(one.id)
      )
        .flatMap(({ hostnames }) => hostnames);
      const able = instances.some(({ hostname, offers }) =>
        names.includes(hostname) && (resources.gpu ?? 0) <= (offers.gpu ?? 0)
      );
      const waits = dependencies.some(({ status }) => status === "pending");
      assert.ok(!able || waits, `${id} is stuck`);
    }
  }
}
