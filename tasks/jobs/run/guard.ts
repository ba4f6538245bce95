/**
 * Ends the processes of a job, whatever becomes of the worker that started them: a shell of its own session holds a
 * pipe from the worker, and the end of that pipe means that the worker is gone.
 *
 * ```text
 *  worker ──"group 71"──► shell      who is in the group, and who has the mark in its environment, is the job's
 *         ──"term"──────►       SIGTERM to them
 *         ──"kill"──────►       SIGKILL to them until nobody is left ──"ended"──► worker
 *         ──"bye"───────►       ends, and touches nothing
 *         ──"abort"─────►       all of it at once, the private directory goes, and it ends
 *         ──(end of file)►      likewise
 * ```
 *
 * | what fails | what happens |
 * |---|---|
 * | the worker, its host or its node is killed | the pipe ends: group, strays and directory are gone within a second |
 * | the worker is killed while it ends an aborted job | nothing of that needs it any more |
 * | a process leaves the group (setsid) | it is found by its mark, where there is /proc |
 * | a process leaves the group and forgets its environment | nobody finds it |
 * | the shell is killed | a job whose worker dies as well leaves its processes behind |
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Writable } from "node:stream";

/** The variable that all processes of a job have. */
export const MARK = "AWX_RUN_MARK";

/** From SIGTERM to SIGKILL of an aborted job: its worker is killed a second after the abort. */
const ABORT_SECONDS = 0.2;

const SCRIPT = `
trap '' INT TERM HUP
mark="${MARK}=$1" dir=$2 group=
marked() { grep -lszxF "$mark" /proc/[0-9]*/environ 2>/dev/null | tr -dc '0-9\\n'; }
signal() {
  [ -z "$group" ] || kill -s "$1" -- "-$group" 2>/dev/null
  for pid in $(marked); do kill -s "$1" "$pid" 2>/dev/null; done
}
alive() { { [ -n "$group" ] && kill -s 0 -- "-$group" 2>/dev/null; } || [ -n "$(marked)" ]; }
sweep() {
  tries=20
  while [ "$tries" -gt 0 ] && alive; do signal KILL; sleep 0.02; tries=$((tries - 1)); done
  group=
}
while read -r word value; do
  case $word in
    group) group=$value ;;
    term) signal TERM ;;
    kill) sweep; echo ended ;;
    bye) exit 0 ;;
    abort) break ;;
  esac
done
[ -z "$group" ] || kill -s TERM -- "-$group" 2>/dev/null
sleep ${ABORT_SECONDS}
sweep
rm -rf -- "$dir"
`;

/** The guard of one job. */
export class Guard {
  readonly mark: string = randomUUID();
  readonly #shell: ChildProcess;
  // Those that wait for "ended", in the order in which they asked.
  readonly #asked: (() => void)[] = [];
  #gone = false;
  readonly #exited: Promise<void>;

  /** @param directory What to delete when the worker dies. */
  constructor(directory: string) {
    this.#shell = spawn("/bin/sh", ["-c", SCRIPT, "job-guard", this.mark, directory], {
      stdio: ["pipe", "pipe", "ignore"],
      detached: true,
      env: { PATH: process.env.PATH },
    });
    this.#shell.stdout!.on("data", (chunk: Uint8Array) => {
      for (const byte of chunk) if (byte === 10) this.#asked.shift()?.();
    });
    this.#shell.stdin!.on("error", () => {});
    this.#exited = new Promise((exited) => {
      const gone = () => {
        this.#gone = true;
        for (const done of this.#asked.splice(0)) done();
        exited();
      };
      this.#shell.on("error", gone).on("exit", gone);
    });
  }

  /** A process that was started as the leader of its own group. */
  watch(pid: number): void {
    this.#say(`group ${pid}`);
  }

  /** Ask them to end. */
  term(): void {
    this.#say("term");
  }

  /** End them; resolves when they are gone. */
  async kill(): Promise<void> {
    if (this.#gone) return;
    await new Promise<void>((done) => {
      this.#asked.push(done);
      this.#say("kill");
    });
  }

  /** End all of it without anybody's help; a listener as it is. */
  readonly abort = (): void => this.#say("abort");

  /** End what is left and let go; resolves when that is done. */
  async close(): Promise<void> {
    await this.kill();
    this.#say("bye");
    if (!this.#gone) (this.#shell.stdin as Writable).end();
    await this.#exited;
  }

  #say(line: string): void {
    if (!this.#gone) (this.#shell.stdin as Writable).write(`${line}\n`);
  }
}
