export { default } from "../../../../../tasks/system/awx_reaper.ts";
