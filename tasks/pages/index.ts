/**
 * The control plane in the dashboard: jobs, workflows, instances, and what they are made of.
 *
 * @module
 */
import type { Chapter } from "edge-dispatcher/view";
import { instanceDeeds } from "./deeds/instances.ts";
import { jobDeeds } from "./deeds/jobs.ts";
import { scheduleDeeds } from "./deeds/schedules.ts";
import { instances } from "./instances.ts";
import { job, workflow } from "./job.ts";
import { jobs } from "./jobs.ts";
import { launch } from "./launch.ts";
import { resources } from "./resources.ts";
import { workflows } from "./workflows.ts";

export const chapter: Chapter = {
  // The form goes before the job: both are at /jobs/SOMETHING.
  pages: [jobs, launch, job, workflows, workflow, instances, resources],
  // `schedule` are the dispatcher's own.
  deeds: { job: jobDeeds, instance: instanceDeeds, plan: scheduleDeeds },
  places: [
    ["/jobs", "Jobs", "b"],
    ["/workflows", "Workflows", "w"],
    ["/instances", "Instances", "i"],
    ["/resources", "Resources", "u"],
  ],
};
