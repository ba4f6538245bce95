export { default } from "../../../../../tasks/scheduler/run_task_manager.ts";
