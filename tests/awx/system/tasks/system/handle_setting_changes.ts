export { default } from "../../../../../tasks/system/handle_setting_changes.ts";
