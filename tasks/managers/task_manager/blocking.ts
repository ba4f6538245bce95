/**
 * Which job keeps which from starting. Each job names what it needs and how; two that need the same thing in ways that
 * do not go together do not run at the same time.
 *
 * ```text
 *                     project   source   inventory   template   system
 *  project update     alone
 *  inventory update   use       alone    update
 *  job                use                use         alone
 *  ad hoc command                        use
 *  system job                                                   alone
 * ```
 *
 * A job or workflow that allows others of its template at the same time only uses it.
 *
 * `alone` goes together with nothing, any other way with itself. A job takes a copy of its project and reads its inventory
 * when it begins: it waits for updates of them, and running it holds none up.
 *
 * A job that may not start keeps its place: what comes later does not take what it needs. Otherwise a project update
 * would never find its project free of inventory updates.
 *
 * @module
 */
import { type Job, labelOf } from "./world.ts";

interface Claim {
  /** What is needed, as it is named in explanations. */
  key: string;
  way: "alone" | "use" | "update";
  /** Needed by the start only. */
  brief?: boolean;
}

/** What a job needs for itself, or together with its like. */
export function claimsOf(job: Job): Claim[] {
  switch (job.kind) {
    case "project_update":
      return [...claim("project", job.project_id, "alone")];
    case "inventory_update":
      return [
        ...claim("inventory source", job.inventory_source_id, "alone"),
        ...claim("inventory", job.inventory_id, "update"),
        ...claim("project", job.project_id, "use"),
      ];
    case "job":
      return [
        ...claim("project", job.project_id, "use", true),
        ...claim("inventory", job.inventory_id, "use", true),
        ...templateOf(job),
      ];
    case "ad_hoc_command":
      return claim("inventory", job.inventory_id, "use", true);
    case "system_job":
      return [{ key: "the system", way: "alone" }];
    case "workflow_job":
      return templateOf(job);
  }
}

function claim(what: string, id: number | null, way: Claim["way"], brief?: boolean): Claim[] {
  return id === null ? [] : [{ key: `${what} ${id}`, way, brief }];
}

function templateOf({ template_kind, template_id, allow_simultaneous }: Job): Claim[] {
  const kind = (template_kind ?? "").replaceAll("_", " ");
  return claim(kind, template_id, allow_simultaneous ? "use" : "alone");
}

/** What is taken, by whom, and what is kept for whom. */
export class Blocking {
  /** Of jobs under way, by key and way. */
  readonly #held: Map<string, Map<Claim["way"], Job>> = new Map();
  /** Of jobs that keep their place. */
  readonly #kept: Map<string, Set<Claim["way"]>> = new Map();

  constructor(active: readonly Job[] = []) {
    for (const job of active) this.hold(job);
  }

  /** A job is under way. */
  hold(job: Job): void {
    for (const { key, way, brief } of claimsOf(job)) {
      if (brief) continue;
      const ways = this.#held.get(key) ?? new Map();
      if (!ways.has(way)) this.#held.set(key, ways.set(way, job));
    }
  }

  /** A job that may not start keeps its place. */
  keep(job: Job): void {
    for (const { key, way } of claimsOf(job)) {
      this.#kept.set(key, (this.#kept.get(key) ?? new Set()).add(way));
    }
  }

  /**
   * Why a job may not start, undefined when it may. Those behind the first get a text that names no job: it stays
   * true while one after the other ends, and is not written again for thousands of them.
   */
  why(job: Job): string | undefined {
    const claims = claimsOf(job);
    for (const { key, way } of claims) {
      for (const other of this.#kept.get(key) ?? []) {
        if (clash(way, other)) return `Waits behind an earlier job for ${key}`;
      }
    }
    for (const { key, way } of claims) {
      for (const [other, holder] of this.#held.get(key) ?? []) {
        if (clash(way, other)) return `Waits for ${labelOf(holder)}, which has ${key}`;
      }
    }
  }
}

function clash(a: Claim["way"], b: Claim["way"]): boolean {
  return a === "alone" || b === "alone" || a !== b;
}
