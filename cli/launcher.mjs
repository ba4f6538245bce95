#!/usr/bin/env node
// The way in for npm, Bun and the installed commands. Plain JavaScript, so that an old Node can read it and say
// which version it takes, instead of failing at the first type.
const WANTED = [22, 18];

const [major, minor] = process.versions.node.split(".").map(Number);
const other = process.versions.bun !== undefined || process.versions.deno !== undefined;
if (!other && (major < WANTED[0] || (major === WANTED[0] && minor < WANTED[1]))) {
  console.error(`edge-dispatcher needs Node ${WANTED.join(".")} or newer, this is ${process.versions.node}`);
  process.exit(78);
}
// Node strips the types of every file anew at every start, unless it may keep what it made. Not in its default place
// below the temporary directory: there another user could leave code for this one to run.
if (!other) {
  const [{ default: module }, { homedir }] = await Promise.all([import("node:module"), import("node:os")]);
  const cache = process.env.XDG_CACHE_HOME || `${homedir()}/.cache`;
  module.enableCompileCache?.(`${cache}/edge-dispatcher`);
}
// Installed as `dispatcher`, it starts a node unless a command is named; else it takes a command.
const name = process.argv[1]?.split(/[\\/]/).pop();
const argv = process.argv.slice(2);
const { main } = await import("./main.ts");
await main(name === "dispatcher" && !/^(\w|--version$)/.test(argv[0] ?? "") ? ["dispatcher", ...argv] : argv);
