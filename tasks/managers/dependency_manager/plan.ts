/**
 * What a job needs first: updates of its project and of the sources of its inventory. A function of what is known; it
 * creates nothing.
 *
 * ```text
 *  job ──► project update          of its project
 *    └───► inventory update ──► project update     of each source of its inventory, and of that source's project
 * ```
 *
 * An update is needed where update_on_launch is set, unless the last successful one is younger than the cache's time.
 * One that is under way is waited for instead of another one.
 *
 * @module
 */

/** A job that was not looked at yet. */
export interface Launched {
  id: number;
  kind: "job" | "inventory_update";
  project_id: number | null;
  inventory_id: number | null;
  /** Of the job: its update is created with it. */
  priority: number;
}

/** What can be updated. */
export interface Updatable {
  id: number;
  update_on_launch: boolean;
  /** The last successful update is young enough. */
  fresh: boolean;
  /** An update that is pending, waiting or running. */
  underway: number | null;
}

/** A source that may be filled from a project. */
export interface Source extends Updatable {
  inventory_id: number;
  project_id: number | null;
}

/** What is known when a run begins. */
export interface Known {
  /** Those that can be updated at all: from git. */
  projects: readonly Updatable[];
  sources: readonly Source[];
}

/** An update to wait for: one that is there, or one to create, which may need another first. */
export type Need =
  | { job: number }
  | { create: "project" | "inventory_source"; of: number; needs: Need[] };

/** What the jobs of one run need; an update that was created for one of them is waited for by the next. */
export class Needs {
  readonly #projects: Map<number, Updatable>;
  readonly #sources: Map<number, Source[]>;
  /** Updates that this run creates, by what they update. */
  readonly #created: Map<string, Need> = new Map();

  constructor({ projects, sources }: Known) {
    this.#projects = new Map(projects.map((project) => [project.id, project]));
    this.#sources = Map.groupBy(sources, ({ inventory_id }) => inventory_id);
  }

  /** What must be successful before this job. */
  of(job: Launched): Need[] {
    const project = this.#project(job.project_id);
    if (job.kind === "inventory_update") return project;
    const sources = job.inventory_id === null ? [] : this.#sources.get(job.inventory_id) ?? [];
    return [...project, ...sources.flatMap((source) => this.#source(source))];
  }

  #project(id: number | null): Need[] {
    const project = id === null ? undefined : this.#projects.get(id);
    return project ? this.#update("project", project, () => []) : [];
  }

  #source(source: Source): Need[] {
    return this.#update("inventory_source", source, () => this.#project(source.project_id));
  }

  #update(create: "project" | "inventory_source", of: Updatable, needs: () => Need[]): Need[] {
    if (!of.update_on_launch) return [];
    if (of.underway !== null) return [{ job: of.underway }];
    if (of.fresh) return [];
    const key = `${create} ${of.id}`;
    const need = this.#created.get(key) ?? { create, of: of.id, needs: needs() };
    this.#created.set(key, need);
    return [need];
  }
}
