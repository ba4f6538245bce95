/** `top` and the progress of long work on a real terminal, as util-linux's `script` makes one. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { guardChild } from "../harness/child_guard.ts";
import { eventually, runtimes, test, type TestContext, thisRuntime } from "../harness.ts";
import { base, cli, environment } from "./site.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const FLAGS = { deno: "run -A -q", bun: "", node: "--no-warnings" };
const skip = spawnSync("script", ["--version"]).error ? "no script(1) here" : false;
const ENTER = "\u001b[?1049h";
const LEAVE = "\u001b[?25h\u001b[?1049l";

/** A command on a terminal of 100 by 24. */
function onTerminal(t: TestContext, url: string, words: string) {
  const runtime = thisRuntime();
  const command = `stty cols 100 rows 24; ${runtimes()[runtime]} ${
    FLAGS[runtime]
  } ${MAIN} ${words}; echo "code=$?"; stty -a`;
  const env = environment(url, { TERM: "xterm" }) as Record<string, string>;
  const made = spawn("script", ["-qec", command, "/dev/null"], {
    env: { ...process.env, ...env },
    stdio: "pipe",
  });
  guardChild(made);
  t.after(() => made.kill("SIGKILL"));
  let text = "";
  made.stdout.setEncoding("utf8").on("data", (piece) => text += piece);
  const ended = new Promise<void>((resolve) => made.once("close", () => resolve()));
  return { text: () => text, type: (keys: string) => made.stdin.write(keys), ended };
}

for (const [name, key] of [["q", "q"], ["Ctrl-C", "\u0003"]]) {
  test(`top draws on the other screen and gives the terminal back at ${name}`, { skip }, async (t) => {
    const { url } = await base(t);
    const { text, type, ended } = onTerminal(t, url, "top");
    await eventually(() => text().includes("q quit"), { within: 20_000 });
    type(key);
    await ended;
    assert.ok(text().indexOf(ENTER) >= 0 && text().indexOf(LEAVE) > text().indexOf(ENTER));
    assert.match(text(), /0 of 0 nodes {2}0 workers busy/);
    assert.match(text(), /code=0/);
    // Without a dash before them they are on: lines and echo, as a shell wants them.
    assert.match(text(), / icanon /);
    assert.match(text(), / echo /);
  });
}

test("top without a terminal is refused with 2, and without a database ends with 69 on the ordinary screen", {
  skip,
}, async (t) => {
  const { url } = await base(t);
  const { code, stdout, stderr } = await cli(url, ["top"]);
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  assert.match(stderr, /^Cannot show top: it needs a terminal/);
  const away = onTerminal(t, "postgres://nobody@127.0.0.1:1/none", "top");
  await away.ended;
  assert.match(away.text(), /Cannot connect to PostgreSQL[^]*code=69/);
  assert.ok(!away.text().includes(ENTER));
});

test("purge shows its progress on a terminal, and takes it away", { skip }, async (t) => {
  const { url, client } = await base(t);
  await client.publishMany(Array.from({ length: 20_500 }, () => ({ task: "t" })));
  const { text, ended } = onTerminal(t, url, "queue purge default --yes");
  await ended;
  // deno-lint-ignore no-control-regex
  assert.match(text(), /\r\u001b\[KPurged \[=+ *\] \d+ % {2}\d+\/20500/);
  // deno-lint-ignore no-control-regex
  assert.match(text(), /\r\u001b\[K.*default purged: 20500 cancelled/);
});
