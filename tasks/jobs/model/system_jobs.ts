/**
 * What system jobs there are. Their numbers are what workflows and schedules name them by.
 *
 * @module
 */

/** A system job: it cleans up, alone in the cluster. */
export interface SystemJob {
  id: number;
  name: "cleanup_jobs" | "purge_old_stdout_files";
  summary: string;
}

export const SYSTEM_JOBS: readonly SystemJob[] = [
  {
    id: 1,
    name: "cleanup_jobs",
    summary: "Delete jobs that ended more than extra_vars.days ago, by default 90",
  },
  {
    id: 2,
    name: "purge_old_stdout_files",
    summary: "Delete the output of jobs that is older than STDOUT_RETENTION_DAYS",
  },
];
