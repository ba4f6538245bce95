export { default } from "../../../../../tasks/system/cluster_node_heartbeat.ts";
