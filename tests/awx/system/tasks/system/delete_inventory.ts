export { default } from "../../../../../tasks/system/delete_inventory.ts";
