/** The name that AWX has for it: `awx.main.tasks.system.awx_periodic_scheduler`. */
export { default } from "../scheduler/awx_periodic_scheduler.ts";
