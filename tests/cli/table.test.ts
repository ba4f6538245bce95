import assert from "node:assert/strict";
import { ago, megabytes, writeTable } from "../../cli/table.ts";
import { test } from "../harness.ts";
import { fakeIO } from "./fake_io.ts";

const COLUMNS = [{ title: "NAME" }, { title: "COUNT", right: true }, { title: "STATE" }];

test("writeTable() writes rows with tabs and no heading into a pipe", () => {
  const io = fakeIO();
  writeTable(io, COLUMNS, [["a", "1", "active"], ["long name", "1000000", ""]]);
  assert.deepEqual(io.outLines, ["a\t1\tactive", "long name\t1000000\t"]);
});

test("writeTable() writes nothing into a pipe when there are no rows", () => {
  const io = fakeIO();
  writeTable(io, COLUMNS, []);
  assert.deepEqual(io.outLines, []);
});

test("writeTable() keeps a row on its line when a cell has tabs or line breaks", () => {
  const io = fakeIO();
  writeTable(io, COLUMNS, [["a\tb", "1", "c\nd\n"]]);
  assert.deepEqual(io.outLines, ["a b\t1\tc d "]);
});

test("writeTable() does not cut rows in a pipe, however narrow the terminal", () => {
  const io = fakeIO({ columns: 10 });
  writeTable(io, COLUMNS, [["x".repeat(100), "1", "active"]]);
  assert.deepEqual(io.outLines, [`${"x".repeat(100)}\t1\tactive`]);
});

test("writeTable() aligns columns under their headings on a terminal, numbers to the right", () => {
  const io = fakeIO({ tty: true });
  writeTable(io, COLUMNS, [["a", "1", "active"], ["long name", "1000000", "paused"]]);
  assert.deepEqual(io.outLines, [
    "NAME         COUNT  STATE",
    "a                1  active",
    "long name  1000000  paused",
  ]);
});

test("writeTable() writes the headings on a terminal when there are no rows", () => {
  const io = fakeIO({ tty: true });
  writeTable(io, COLUMNS, []);
  assert.deepEqual(io.outLines, ["NAME  COUNT  STATE"]);
});

test("writeTable() leaves no blanks at the end of a line on a terminal", () => {
  const io = fakeIO({ tty: true });
  writeTable(io, COLUMNS, [["a", "1", ""], ["b", "2", "a long state"]]);
  assert.deepEqual(io.outLines.filter((line) => line !== line.trimEnd()), []);
});

test("writeTable() cuts lines at the width of the terminal", () => {
  const io = fakeIO({ tty: true, columns: 12 });
  writeTable(io, COLUMNS, [["long name", "1000000", "active"]]);
  assert.deepEqual(io.outLines, ["NAME", "long name  1"]);
});

test("ago() says seconds, minutes, hours and days in the unit that suits them", () => {
  const said: [number, string][] = [
    [0, "0.0 s"],
    [0.44, "0.4 s"],
    [9.94, "9.9 s"],
    [10, "10 s"],
    [119, "119 s"],
    [120, "2 min"],
    [7_199, "120 min"],
    [7_200, "2 h"],
    [172_799, "48 h"],
    [172_800, "2 d"],
    [31_536_000, "365 d"],
  ];
  for (const [seconds, text] of said) assert.equal(ago(seconds), text);
});

test("ago() says 0.0 s of a time that lies ahead, as clocks of two machines may have it", () => {
  assert.equal(ago(-3), "0.0 s");
});

test("megabytes() has three decimals and no space, as the seed's screen", () => {
  assert.equal(megabytes(106_730_000), "106.730MB");
  assert.equal(megabytes(0), "0.000MB");
  assert.equal(megabytes(999), "0.001MB");
  assert.equal(megabytes(12_345_678_901), "12345.679MB");
});
