import assert from "node:assert/strict";
import { Progress } from "../../cli/progress.ts";
import { keysOf } from "../../cli/top/terminal.ts";
import { test } from "../harness.ts";

/** A terminal's last line, and a clock that is moved by hand. */
function site(columns = 80) {
  const drawn: string[] = [];
  const clock = { now: 0 };
  return {
    drawn,
    clock,
    io: { columns, status: (text: string) => void drawn.push(text) },
    now: () => clock.now,
  };
}

test("Progress draws a bar with the part, the counts and the rate, ten times a second at most", () => {
  const { drawn, clock, io, now } = site();
  const progress = new Progress(io, "Purged", 1_000, now);
  progress.advance(250);
  progress.advance(1);
  clock.now = 1_000;
  progress.advance(249);
  assert.deepEqual(drawn, [
    "Purged [======                  ] 25 %  250/1000",
    "Purged [============            ] 50 %  500/1000  500/s",
  ]);
});

test("Progress counts where nobody knows how much there is, and takes its line away at the end, once", () => {
  const { drawn, io, now } = site();
  const progress = new Progress(io, "Published", undefined, now);
  progress.advance(1_000);
  progress.end();
  progress.end();
  assert.deepEqual(drawn, ["Published 1000", ""]);
});

test("Progress fits into the terminal, and takes more than there was for all of it", () => {
  const { drawn, io, now } = site(20);
  const progress = new Progress(io, "Purged", 10, now);
  progress.advance(15);
  assert.equal(drawn[0].length, 19);
  assert.match(progress.text(), /100 % {2}15\/10/);
});

test("Progress writes nothing where stderr is no terminal", () => {
  const progress = new Progress({ columns: 80, status: undefined }, "Purged", 10);
  progress.advance(5);
  progress.end();
});

test("keysOf() reads letters, arrows and Ctrl-C, several at once, and nothing else", () => {
  assert.deepEqual(keysOf("q"), ["quit"]);
  assert.deepEqual(keysOf("\u0003"), ["quit"]);
  assert.deepEqual(keysOf("\u001b[A\u001b[Bp\u001b[C"), ["up", "down", "pause"]);
  assert.deepEqual(keysOf("xyz"), []);
});
