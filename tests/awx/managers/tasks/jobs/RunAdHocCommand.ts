export { default } from "./run.ts";
