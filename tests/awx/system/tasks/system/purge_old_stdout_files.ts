export { default } from "../../../../../tasks/system/purge_old_stdout_files.ts";
