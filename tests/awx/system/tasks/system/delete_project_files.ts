export { default } from "../../../../../tasks/system/delete_project_files.ts";
