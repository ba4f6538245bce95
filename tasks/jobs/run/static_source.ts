/**
 * The text of a static source as files of which ansible reads one: it goes by names, and by what may be executed.
 *
 * @module
 */
import type { PrivateDir } from "./private_dir.ts";

/** Ansible has no plugin for a file of that form, only for what scripts print. */
const PRINTS_LISTING = '#!/bin/sh\nexec cat "${0%/*}/listing.json"\n';

/** Write it; gives the path that ansible is told. */
export async function staticSource(dir: PrivateDir, content: string): Promise<string> {
  const json = objectIn(content);
  if (json && isListing(json)) {
    // Without a `_meta` the script would be run once more for each host.
    await dir.file("source/listing.json", JSON.stringify({ _meta: { hostvars: {} }, ...json }));
    return await dir.file("source/inventory_script", PRINTS_LISTING, 0o700);
  }
  // Of an empty object ansible's plugin for ini makes a host with that name.
  if (json && Object.keys(json).length === 0) return await dir.file("source/inventory.json", '{"all": {}}');
  return await dir.file(`source/inventory${json ? ".json" : endingOf(content)}`, content);
}

function objectIn(content: string): Record<string, unknown> | undefined {
  if (!content.trimStart().startsWith("{")) return undefined;
  try {
    return JSON.parse(content);
  } catch {
    // YAML may begin so as well, and of what is broken ansible says where.
    return undefined;
  }
}

/** Whether it is what scripts and `ansible-inventory --list` print: hosts and children as lists. */
function isListing(json: Record<string, unknown>): boolean {
  if ("_meta" in json) return true;
  return Object.values(json).some((group) => {
    const { hosts, children } = Object(group);
    return Array.isArray(group) || Array.isArray(hosts) || Array.isArray(children);
  });
}

/** Everything that is neither JSON nor YAML is ini. */
function endingOf(content: string): string {
  const first = content.split("\n").find((line) => line.trim() !== "" && !line.startsWith("#")) ?? "";
  if (first.trimStart().startsWith("{")) return ".json";
  return /^(---|["']?[\w.-]+["']?:\s*)$/.test(first.trimEnd()) ? ".yml" : "";
}
