export { default } from "../../../../../tasks/scheduler/run_dependency_manager.ts";
