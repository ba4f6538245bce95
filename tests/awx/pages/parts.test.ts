// @runtimes deno
/** What the pages are made of: lines of output, searches, places of nodes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Book } from "../../../runtime/http/view/book.ts";
import { graphLayout, NODE_HEIGHT, NODE_WIDTH, pathOf } from "../../../tasks/pages/graph_layout.ts";
import { LINES, outputOf, spansOf } from "../../../tasks/pages/output.ts";
import type { EventText } from "../../../tasks/pages/queries/events.ts";
import { chapter } from "../../../tasks/pages/index.ts";
import { jobSearchText, readJobSearch, readTemplate } from "../../../tasks/pages/search.ts";
import { readVariables } from "../../../tasks/pages/vars.ts";
import { STATUSES, TEMPLATE_KINDS } from "../../../tasks/jobs/model/unified_job.ts";
import { test } from "../../harness.ts";

test("the ways to the pages have keys of their own, which no row needs", () => {
  const { places, pages } = new Book(chapter);
  const keys = [...places.map(([, , key]) => key), "j", "k"];
  assert.equal(new Set(keys).size, keys.length, keys.join(" "));
  assert.equal(new Set(pages.map(({ path }) => path)).size, pages.length);
});

const text = (counter: number, stdout: string, more: Partial<EventText> = {}): EventText => ({
  counter,
  stdout,
  cut: false,
  start_line: 0,
  end_line: 0,
  ...more,
});
const said = (stdout: string) =>
  spansOf(stdout).map(({ text, look }) => (look === "" ? text : `<${look}>${text}`));

test("outputOf() keeps whole events up to a page of lines, the last ones", () => {
  const of = (n: number) => Array.from({ length: n }, (_, i) => `l${i}`).join("\n");
  const { lines, older, cut } = outputOf([text(1, of(600)), text(2, of(600)), text(3, "end\r\n")]);
  assert.deepEqual([lines.length, lines[0].key, lines.at(-1)!.key, older, cut], [
    601,
    "2.0",
    "3.0",
    2,
    false,
  ]);
  assert.deepEqual(outputOf([text(1, of(600)), text(2, "end")]).older, null);
  assert.deepEqual(outputOf([]), { lines: [], older: null, cut: false });
});

test("outputOf() shows the end of a text that fills more than a page", () => {
  const { lines, older, cut } = outputOf([text(4, "a\n".repeat(LINES + 500) + "z")]);
  assert.deepEqual([lines.length, lines.at(-1)!.spans[0].text, older, cut], [LINES, "z", 4, true]);
});

test("outputOf() numbers lines where the event says their place", () => {
  const numbers = (one: EventText) => outputOf([one]).lines.map(({ number }) => number);
  assert.deepEqual(numbers(text(1, "a\nb\n", { start_line: 7, end_line: 9 })), [8, 9]);
  assert.deepEqual(numbers(text(1, "a\nb")), [null, null]);
  assert.deepEqual(numbers(text(1, "a\nb", { start_line: 7, end_line: 9, cut: true })), [null, null]);
});

test("outputOf() goes on with a line that an event left open", () => {
  const events = [
    text(1, "a\nb", { start_line: 0, end_line: 1 }),
    text(2, "c", { start_line: 1, end_line: 1 }),
    text(3, "d\ne\n", { start_line: 1, end_line: 3 }),
    text(4, "f", { start_line: 3, end_line: 4 }),
    text(5, "g", { start_line: 4, end_line: 5 }),
  ];
  const lines = outputOf(events).lines.map(({ number, spans }) => `${number} ${spans[0].text}`);
  assert.deepEqual(lines, ["1 a", "2 bcd", "3 e", "4 f", "5 g"]);
});

test("outputOf() knows ansible's words, unless the text has colours of its own", () => {
  const look = (line: string) => outputOf([text(1, line)]).lines[0].look;
  assert.deepEqual(
    ["ok: [h]", "changed: [h]", "fatal: [h]: FAILED!", "skipping: [h]", "TASK [x] ****", "okay"].map(look),
    ["ok", "changed", "bad", "dim", "strong", ""],
  );
  assert.equal(look("\x1b[0;31mok: [h]\x1b[0m"), "");
});

test("spansOf() turns colours of terminals into looks and drops what else moves a cursor", () => {
  assert.deepEqual(said("\x1b[1;31mbad\x1b[0m fine"), ["<bad strong>bad", " fine"]);
  assert.deepEqual(said("\x1b[33mone\x1b[39m two"), ["<changed>one", " two"]);
  assert.deepEqual(said("a\x1b[2Kb\x1b]0;title\x07c\x00\x08"), ["a", "b", "c"]);
  assert.deepEqual(said("10%\r50%\r100%\r"), ["100%"]);
  assert.deepEqual(said("<b>&"), ["<b>&"]);
});

test("readJobSearch() understands what jobSearchText() writes", () => {
  const template = fc.tuple(fc.constantFrom(...TEMPLATE_KINDS), fc.nat()).map(([kind, id]) => ({ kind, id }));
  const search = fc.record({
    status: fc.subarray([...STATUSES], { minLength: 1 }),
    template,
    node: fc.stringMatching(/^[\w" .-]{1,12}$/),
    name: fc.stringMatching(/^[\w" .-]{1,12}$/),
  }, { requiredKeys: [], noNullPrototype: true });
  fc.assert(fc.property(search, (filter) => {
    const read = readJobSearch(jobSearchText(filter));
    assert.deepEqual(read, { filter, faults: [] });
  }));
});

test("readTemplate() reads an id, or a kind and an id, and nothing else", () => {
  assert.deepEqual(readTemplate("7"), { kind: "job_template", id: 7 });
  assert.deepEqual(readTemplate("project:3"), { kind: "project", id: 3 });
  for (const wrong of ["", "x", "7x", "-1", "job:7", "99999999999999999", "project:"]) {
    assert.equal(readTemplate(wrong), undefined, wrong);
  }
});

test("readVariables() takes an object, and shows nothing of what is none", () => {
  assert.deepEqual(readVariables(' {"a": [1]} '), { a: [1] });
  assert.deepEqual([readVariables(undefined), readVariables("  ")], [{}, {}]);
  for (const wrong of ['{"password": "hunter2"', '["hunter2"]', '"hunter2"', "null"]) {
    assert.throws(
      () => readVariables(wrong),
      (error: Error) => !/hunter2/.test(error.message) && /Cannot read/.test(error.message),
    );
  }
});

test("graphLayout() places boxes that do not touch, inside of the drawing, each edge between its two", async () => {
  const graph = fc.integer({ min: 2, max: 14 }).chain((n) =>
    fc.tuple(
      fc.constant(n),
      fc.uniqueArray(
        fc.tuple(fc.nat(n - 1), fc.nat(n - 1)).filter(([a, b]) => a < b),
        { maxLength: 24, selector: ([a, b]) => `${a}-${b}` },
      ),
    )
  );
  let id = 0;
  await fc.assert(
    fc.asyncProperty(graph, async ([n, pairs]) => {
      const nodes = Array.from({ length: n }, (_, i) => i);
      const edges = pairs.map(([parent_id, child_id]) => ({ parent_id, child_id, kind: "always" as const }));
      const { width, height, places, edges: drawn } = await graphLayout(++id, nodes, edges);
      const all = nodes.map((one) => places.get(one)!);
      for (const { x, y } of all) {
        assert.ok(
          x >= NODE_WIDTH / 2 && x <= width - NODE_WIDTH / 2 && y >= NODE_HEIGHT / 2 &&
            y <= height - NODE_HEIGHT / 2,
        );
      }
      for (let a = 0; a < n; a++) {
        for (let b = 0; b < a; b++) {
          const [dx, dy] = [Math.abs(all[a].x - all[b].x), Math.abs(all[a].y - all[b].y)];
          assert.ok(dx >= NODE_WIDTH || dy >= NODE_HEIGHT, `${a} and ${b}`);
        }
      }
      assert.equal(drawn.length, pairs.length);
      for (const { points } of drawn) assert.match(pathOf(points), /^M[-\d.,]+ [QL]/);
    }),
    { numRuns: 40 },
  );
});

test("graphLayout() goes across while that fits, else down; what has no end is drawn nowhere", async () => {
  const chain = (n: number) => {
    const nodes = Array.from({ length: n }, (_, i) => i);
    return [
      nodes,
      nodes.slice(1).map((child_id) => ({ parent_id: child_id - 1, child_id, kind: "success" as const })),
    ] as const;
  };
  const short = await graphLayout(-1, ...chain(3));
  assert.ok(short.width > short.height);
  const long = await graphLayout(-2, ...chain(12));
  assert.ok(long.height > long.width);
  const { edges } = await graphLayout(-3, [1], [{ parent_id: 1, child_id: 2, kind: "success" }]);
  assert.deepEqual(edges, []);
});
