/**
 * The names that AWX has for what schedules: `awx.main.scheduler.tasks.task_manager` and its siblings.
 *
 * @module
 */
export {
  default as dependency_manager,
  default as run_dependency_manager,
} from "./run_dependency_manager.ts";
export { default as run_task_manager, default as task_manager } from "./run_task_manager.ts";
export { default as run_workflow_manager, default as workflow_manager } from "./run_workflow_manager.ts";
