/**
 * What is left of nodes and groups while a plan is made: capacity in forks, resources by name, and what is kept for
 * jobs whose turn it was and which did not fit.
 *
 * @module
 */
import { DEFAULT_GROUP, type Group, type Instance, type Job, type World } from "./world.ts";

/** A node that is up. */
export class NodeRoom {
  readonly hostname: string;
  readonly capacity: number;
  readonly #offers: Readonly<Record<string, number>>;
  readonly #taken: Map<string, number> = new Map();
  readonly #kept: Set<string> = new Set();
  readonly #preemptible: Job[] = [];
  #consumed = 0;
  #jobs = 0;
  #closed = false;

  constructor({ hostname, capacity, offers }: Instance) {
    this.hostname = hostname;
    this.capacity = capacity;
    this.#offers = offers;
  }

  /** Negative while a single job is larger than the node. */
  get remaining(): number {
    return this.capacity - this.#consumed;
  }

  get idle(): boolean {
    return this.#jobs === 0;
  }

  take(job: Job): void {
    const { task_impact, resources } = job;
    this.#jobs++;
    this.#consumed += task_impact;
    if (job.preemptible) this.#preemptible.push(job);
    for (const [name, amount] of Object.entries(resources)) {
      this.#taken.set(name, (this.#taken.get(name) ?? 0) + Math.max(amount, 0));
    }
  }

  /** Whether it has what the job asks for, were it idle. */
  offers({ resources }: Job): boolean {
    return Object.entries(resources).every(([name, amount]) => amount <= (this.#offers[name] ?? 0));
  }

  /** How much of a resource is free, to a millionth: 0.3 less 0.1 and 0.2 is nothing. */
  free(name: string): number {
    return Math.round(((this.#offers[name] ?? 0) - (this.#taken.get(name) ?? 0)) * 1e6) / 1e6;
  }

  /** Of what the job asks for: what is not free here. */
  lacks({ resources }: Job): string[] {
    return Object.entries(resources).filter(([name, amount]) => amount > this.free(name)).map(([name]) =>
      name
    );
  }

  /** The same, were all stopped that may be stopped for the job. The dispatcher stops as few as it must. */
  lacksEvenSo({ resources, priority }: Job): boolean {
    const less = this.#preemptible.filter((job) => job.priority > priority);
    return Object.entries(resources).some(([name, amount]) =>
      amount > less.reduce((free, job) => free + (job.resources[name] ?? 0), this.free(name))
    );
  }

  /** Forks for the job: it fits, or would be alone here, however large it is. */
  roomFor({ task_impact }: Job): boolean {
    return task_impact <= this.remaining || this.idle;
  }

  /** Keep it for an earlier job: the forks where they lack, otherwise what it asks for by name. */
  keepFor(job: Job): void {
    if (this.roomFor(job)) Object.keys(job.resources).forEach((name) => this.#kept.add(name));
    else this.#closed = true;
  }

  /** Whether an earlier job waits for what this one would take. */
  keptFrom({ resources }: Job): boolean {
    return this.#closed || Object.keys(resources).some((name) => this.#kept.has(name));
  }
}

/** A group and what its jobs hold. */
export class GroupRoom {
  readonly group: Group;
  /** Those of its members that are up. */
  readonly nodes: readonly NodeRoom[];
  #jobs = 0;
  #forks = 0;
  #closed = false;

  constructor(group: Group, nodes: readonly NodeRoom[]) {
    this.group = group;
    this.nodes = nodes;
  }

  take({ task_impact }: Job): void {
    this.#jobs++;
    this.#forks += task_impact;
  }

  /** Why its limits do not let the job in, undefined when they do. One job is always let in. */
  limits({ task_impact }: Job): string | undefined {
    const { name, max_concurrent_jobs: jobs, max_forks: forks } = this.group;
    if (this.#jobs === 0) return undefined;
    if (jobs > 0 && this.#jobs >= jobs) return `group ${name} runs its ${jobs} jobs`;
    if (forks > 0 && this.#forks + task_impact > forks) {
      return `group ${name} has ${Math.max(forks - this.#forks, 0)} of its ${forks} forks left`;
    }
  }

  /** An earlier job waits for its limits. */
  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
  }
}

/** All nodes and groups. */
export class Capacity {
  readonly #nodes: Map<string, NodeRoom>;
  readonly #groups: Map<number, GroupRoom>;
  readonly #default: GroupRoom[];

  constructor({ instances, groups, active }: World) {
    const up = instances.filter(({ enabled, capacity }) => enabled && capacity > 0);
    this.#nodes = new Map(up.map((instance) => [instance.hostname, new NodeRoom(instance)]));
    this.#groups = new Map(groups.map((group) => {
      const nodes = group.hostnames.flatMap((name) => this.#nodes.get(name) ?? []);
      return [group.id, new GroupRoom(group, nodes)];
    }));
    this.#default = [...this.#groups.values()].filter(({ group }) => group.name === DEFAULT_GROUP);
    for (const job of active) this.take(job, job.execution_node, job.instance_group_id);
  }

  /** A job is under way on a node, by the right of a group. */
  take(job: Job, node: string, group: number | null): void {
    this.#nodes.get(node)?.take(job);
    if (group !== null) this.#groups.get(group)?.take(job);
  }

  /** Where a job may run, in its order; those that name no group that is there, in the group "default". */
  groupsOf({ instance_group_ids }: Job): GroupRoom[] {
    const named = instance_group_ids.flatMap((id) => this.#groups.get(id) ?? []);
    return named.length > 0 ? named : this.#default;
  }
}
