/**
 * Git as a job runs it: never asking, its secrets by file, its words told as the job's output.
 *
 * @module
 */
import type { Project } from "../model/projects.ts";
import { askpass, type Credentials, keyText, openCredentials } from "./credentials.ts";
import { environment } from "./environment.ts";
import { JobError, type Run } from "./perform.ts";
import { type Exit, findProgram } from "./program.ts";
import { runQuietly, runTold } from "./told.ts";

/** Git did not do what it was told; what it said is in the output. */
export class GitFailed extends Error {
  override name = "GitFailed";
  readonly exit: Exit;

  constructor(command: string, exit: Exit) {
    super(`git ${command} ended with code ${exit.code}`);
    this.exit = exit;
  }
}

/** Git for one job. */
export class Git {
  readonly #run: Run;
  readonly #env: Record<string, string>;

  private constructor(run: Run, env: Record<string, string>) {
    this.#run = run;
    this.#env = env;
  }

  /**
   * @param credentialIds What it may use; what the address says besides is used too.
   * @throws {JobError} Where there is no git.
   */
  static async of(run: Run, project: Project, credentialIds: readonly number[]): Promise<Git> {
    const { username, password } = addressOf(project);
    run.redactor.add(password);
    const { scm, env: more } = await openCredentials(run.db, credentialIds, run.redactor);
    const asked = username || password ? { username, password, ssh_key: "", ssh_key_unlock: "" } : undefined;
    const env = environment({ GIT_TERMINAL_PROMPT: "0", ...more, ...await access(run, scm ?? asked) });
    if (!findProgram("git", env.PATH, run.dir.path)) {
      throw new JobError(
        `Cannot run git: it is not on PATH; install the package git on node "${run.context.node}"`,
      );
    }
    return new Git(run, env);
  }

  /** Run it where everybody may watch. @throws {GitFailed} */
  async tell(cwd: string, ...args: string[]): Promise<void> {
    const exit = await runTold(this.#run, { file: "git", args, cwd, env: this.#env });
    if (exit.code !== 0 || exit.late) throw new GitFailed(nameOf(args), exit);
  }

  /** What it answers, without the last line's end; undefined when it fails. @throws {GitFailed} When it is late. */
  async ask(cwd: string, ...args: string[]): Promise<string | undefined> {
    const { text, ...exit } = await runQuietly(this.#run, { file: "git", args, cwd, env: this.#env });
    if (exit.late) throw new GitFailed(nameOf(args), exit);
    return exit.code === 0 ? text.trimEnd() : undefined;
  }
}

/** A repository's address, and what it says of who asks: that is not for arguments, nor for the clone's configuration. */
export function addressOf(
  { scm_url }: Pick<Project, "scm_url">,
): { url: string; username: string; password: string } {
  if (!/^https?:\/\//i.test(scm_url) || !URL.canParse(scm_url)) {
    return { url: scm_url, username: "", password: "" };
  }
  const url = new URL(scm_url);
  const [username, password] = [url.username, url.password].map(decodeURIComponent);
  url.username = url.password = "";
  return { url: username || password ? url.href : scm_url, username, password };
}

/** The subcommand: arguments may name more than an error should. */
function nameOf(args: readonly string[]): string {
  return args.find((arg) => /^[a-z]/.test(arg)) ?? "";
}

async function access({ dir }: Run, scm: Credentials["scm"]): Promise<Record<string, string>> {
  const ssh = [
    "ssh",
    "-o StrictHostKeyChecking=accept-new",
    `-o UserKnownHostsFile="${await dir.file("known_hosts", "")}"`,
  ];
  if (!scm) return { GIT_SSH_COMMAND: ssh.join(" ") };
  const { username, password, ssh_key, ssh_key_unlock } = scm;
  if (ssh_key) {
    ssh.push(`-i "${await dir.file("secrets/scm_key", keyText(scm))}"`, "-o IdentitiesOnly=yes");
  }
  if (username && ssh_key) ssh.push(`-l "${username.replace(/[^\w.@-]/g, "")}"`);
  return {
    ...await askpass(dir, { username, password, unlock: ssh_key_unlock }),
    GIT_SSH_COMMAND: ssh.join(" "),
  };
}
