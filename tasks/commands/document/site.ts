/**
 * A whole site as one file: what there is to be, by name. Credentials and notification templates are named in it and are
 * not in it: they hold secrets.
 *
 * @module
 */
import { z } from "zod";
import { NOTIFICATION_EVENTS } from "../../jobs/model/notify.ts";
import { nameSchema } from "../../jobs/model/table.ts";
import { TEMPLATE_KINDS, variables } from "../../jobs/model/unified_job.ts";
import { workflowSchema } from "./workflow.ts";

/** The name of another thing; null for none. */
const reference = z.string().nullable().optional();
const references = z.array(z.string()).optional();
const name = nameSchema;
/** What launches are of. */
const template = { kind: z.enum(TEMPLATE_KINDS).default("job_template"), template: z.string() };

const host = z.strictObject({ enabled: z.boolean().optional(), variables: variables.optional() });
const group = z.strictObject({ variables: variables.optional(), hosts: references, children: references });

// Loose where a table checks its columns itself.
const source = z.looseObject({ name, project: reference, credential: reference });
const inventory = z.strictObject({
  name,
  variables: variables.optional(),
  hosts: z.record(z.string(), host.nullable()).default({}),
  groups: z.record(z.string(), group.nullable()).default({}),
  sources: z.array(source).default([]),
});

/** The document. */
export const siteSchema = z.strictObject({
  settings: z.record(z.string(), z.unknown()).default({}),
  instance_groups: z.array(z.looseObject({ name, instances: references })).default([]),
  projects: z.array(z.looseObject({ name, credential: reference })).default([]),
  inventories: z.array(inventory).default([]),
  templates: z.array(z.looseObject({
    name,
    project: reference,
    inventory: reference,
    credentials: references,
    instance_groups: references,
  })).default([]),
  workflows: z.array(workflowSchema).default([]),
  schedules: z.array(z.looseObject({ name, ...template })).default([]),
  notifications: z.array(
    z.strictObject({ name, ...template, on: z.array(z.enum(NOTIFICATION_EVENTS)).min(1) }),
  )
    .default([]),
});
export type Site = z.output<typeof siteSchema>;
export type InventoryDocument = Site["inventories"][number];
