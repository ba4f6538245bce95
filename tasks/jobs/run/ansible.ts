/**
 * Ansible's programs: where they are, and what all of them are given.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Credentials, Given } from "./credentials.ts";
import { ansibleGiven } from "./credentials.ts";
import { environment } from "./environment.ts";
import type { Draft } from "./events.ts";
import { JobError, type Outcome, type Run } from "./perform.ts";
import { findProgram } from "./program.ts";
import { outcomeOf, runTold } from "./told.ts";

const PLUGINS = fileURLToPath(new URL("./ansible/", import.meta.url));
/** Sockets have short names: 108 bytes, of which ssh takes some for itself. */
const SOCKET_ROOM = 60;

/** A program of ansible's to run. */
export interface AnsibleCall {
  program: "ansible-playbook" | "ansible" | "ansible-inventory";
  args: readonly string[];
  cwd: string;
  credentials: Credentials;
  env?: Record<string, string>;
  /** As ad hoc commands show their results. */
  minimal?: boolean;
}

/** Run it; its artifacts are those of `set_stats`. */
export async function runAnsible(run: Run, call: AnsibleCall): Promise<Outcome> {
  const { program, cwd, minimal = false } = call;
  const given: Given = await ansibleGiven(call.credentials, run.dir);
  const mark = randomUUID();
  const env = environment({ ...await settingsOf(run), ...given.env, ...call.env, EDGE_EVENTS_MARK: mark });
  if (minimal) env.EDGE_EVENTS_DISPLAY = "minimal";
  if (!findProgram(program, env.PATH, cwd)) {
    throw new JobError(
      `Cannot run ${program}: it is not on PATH; install the package ansible-core on node "${run.context.node}"`,
    );
  }
  let artifacts: Record<string, unknown> | undefined;
  const heard = ({ event, event_data }: Draft) => {
    const data = event === "playbook_on_stats" ? event_data?.artifact_data : undefined;
    if (data && Object.keys(data).length > 0) artifacts = data as Record<string, unknown>;
  };
  const args = [
    ...program === "ansible-inventory" ? withoutConnection(given.args) : given.args,
    ...call.args,
  ];
  const exit = await runTold(run, { file: program, args, cwd, env }, { mark, heard });
  return { ...outcomeOf(exit, program, run), artifacts };
}

/** Of what connects and becomes, ansible-inventory knows nothing. */
function withoutConnection(args: readonly string[]): string[] {
  return args.filter((_, place) => args[place - place % 2] === "--vault-id");
}

async function settingsOf({ dir, job }: Run): Promise<Record<string, string>> {
  const sockets = dir.at("cp");
  return {
    AWX_JOB_ID: `${job.id}`,
    ANSIBLE_CALLBACK_PLUGINS: PLUGINS,
    ANSIBLE_STDOUT_CALLBACK: "edge_events",
    ANSIBLE_LOAD_CALLBACK_PLUGINS: "1",
    ANSIBLE_LOCAL_TEMP: await dir.directory("tmp"),
    ANSIBLE_RETRY_FILES_ENABLED: "False",
    ANSIBLE_HOST_KEY_CHECKING: "False",
    ANSIBLE_NOCOLOR: "1",
    ANSIBLE_NOCOWS: "1",
    ...sockets.length <= SOCKET_ROOM ? { ANSIBLE_SSH_CONTROL_PATH_DIR: sockets } : {},
    // The plugin lies beside the sources.
    PYTHONDONTWRITEBYTECODE: "1",
  };
}
