/** A thread that does what it is told: `verb` or `verb:text`. */
import { closeThread, heapUsed, threadPort, trapExits } from "../../runtime/platform/thread.ts";

const port = await threadPort();

const VERBS: Record<string, (text: string) => void> = {
  echo: (text) => port.post(text),
  heap: () => port.post(String(heapUsed() > 0)),
  throw: (text) => void setTimeout(() => fail(new TypeError(text))),
  last: (count) =>
    void setTimeout(() => {
      for (let i = 1; i <= Number(count); i++) port.post(String(i));
      fail(new TypeError("said all"));
    }),
  reject: (text) => void Promise.reject(new RangeError(text)),
  throwText: (text) => void setTimeout(() => fail(text)),
  exit: () => process.exit(3),
  trap: () => trap(),
  fill: () => fill(),
  close: () => {
    port.post("closing");
    closeThread();
  },
  busy: () => {
    port.post("busy");
    for (;;);
  },
};

function fail(what: unknown): never {
  throw what;
}

function trap(): void {
  trapExits((what) => port.post(`trapped ${what}`));
  try {
    process.exit(3);
  } catch (error) {
    port.post((error as Error).message);
  }
}

/** Use up the heap. */
function fill(): void {
  const kept: unknown[] = [];
  for (;;) kept.push(new Array(100_000).fill(0).map((_, i) => ({ i })));
}

port.onMessage((message) => {
  const cut = message.indexOf(":");
  const verb = cut < 0 ? message : message.slice(0, cut);
  VERBS[verb](cut < 0 ? "" : message.slice(cut + 1));
});
port.post("ready");
