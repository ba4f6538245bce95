import assert from "node:assert/strict";
import { type ArgsParser, type Flags, nodeParser, type Parsed, readArgs, stdParser } from "../../cli/args.ts";
import { DispatcherError } from "../../runtime/errors.ts";
import { test } from "../harness.ts";

const FLAGS: Flags = {
  queue: { type: "string", value: "Q", help: "a text" },
  kwargs: { type: "string", value: "JSON", help: "another text" },
  priority: { type: "number", value: "N", help: "a number" },
  wait: { type: "boolean", help: "a switch" },
  json: { type: "boolean", help: "another switch" },
  var: { type: "string", value: "V", help: "a text, several times", many: true, short: "e" },
  "no-http": { type: "boolean", help: "a switch that begins with no-" },
};

/** What is typed, and what is read from it. */
const READ: { title: string; argv: string[]; flags?: Parsed["flags"]; rest?: string[] }[] = [
  { title: "nothing", argv: [] },
  { title: "words in their order", argv: ["a", "b", "c"], rest: ["a", "b", "c"] },
  { title: "a flag and its value", argv: ["--queue", "q"], flags: { queue: "q" } },
  { title: "--flag=value", argv: ["--queue=q"], flags: { queue: "q" } },
  { title: "an = in a value", argv: ["--queue=a=b"], flags: { queue: "a=b" } },
  { title: "a value with spaces", argv: ["--queue", "a b"], flags: { queue: "a b" } },
  { title: "an empty value", argv: ["--queue", ""], flags: { queue: "" } },
  { title: "an empty value behind =", argv: ["--queue="], flags: { queue: "" } },
  { title: "an empty word", argv: ["task", ""], rest: ["task", ""] },
  { title: "JSON as a value", argv: ["--kwargs", '{"a": "--b"}'], flags: { kwargs: '{"a": "--b"}' } },
  { title: "a dashed value behind =", argv: ["--queue=--wait"], flags: { queue: "--wait" } },
  { title: "a number", argv: ["--priority", "3"], flags: { priority: 3 } },
  { title: "a decimal number", argv: ["--priority=1.5"], flags: { priority: 1.5 } },
  { title: "a negative number as a value", argv: ["--priority", "-3"], flags: { priority: -3 } },
  { title: "a negative number behind =", argv: ["--priority=-3"], flags: { priority: -3 } },
  { title: "a negative number as a text", argv: ["--queue", "-3"], flags: { queue: "-3" } },
  { title: "negative numbers as words", argv: ["-1", "-1.5", "-2e3"], rest: ["-1", "-1.5", "-2e3"] },
  { title: "the last of a flag given twice", argv: ["--queue", "a", "--queue", "b"], flags: { queue: "b" } },
  { title: "one of a flag that may be many as a list", argv: ["--var", "a=1"], flags: { var: ["a=1"] } },
  {
    title: "all of a flag that may be many, in their order",
    argv: ["-e", "b=2", "--wait", "--var=a=1", "--var", "true", "--var", ""],
    flags: { var: ["b=2", "a=1", "true", ""], wait: true },
  },
  { title: "a switch", argv: ["--wait"], flags: { wait: true } },
  { title: "two switches", argv: ["--wait", "--json"], flags: { wait: true, json: true } },
  { title: "a switch that begins with no-", argv: ["--no-http"], flags: { "no-http": true } },
  { title: "a word behind a switch", argv: ["--wait", "task"], flags: { wait: true }, rest: ["task"] },
  { title: "true behind a switch", argv: ["--wait", "true"], flags: { wait: true }, rest: ["true"] },
  { title: "false behind a switch", argv: ["--wait", "false"], flags: { wait: true }, rest: ["false"] },
  {
    title: "flags among words",
    argv: ["a", "--wait", "b", "--queue", "q", "c"],
    flags: { wait: true, queue: "q" },
    rest: ["a", "b", "c"],
  },
  { title: "- as a value", argv: ["--queue", "-", "a"], flags: { queue: "-" }, rest: ["a"] },
  { title: "- as a word", argv: ["-"], rest: ["-"] },
  {
    title: "what follows -- as words",
    argv: ["a", "--", "--wait", "-x", "-1"],
    rest: ["a", "--wait", "-x", "-1"],
  },
  { title: "the second -- as a word", argv: ["--", "--"], rest: ["--"] },
  { title: "a uuid that looks like a number", argv: ["0199"], rest: ["0199"] },
  { title: "a uuid that looks like a power of ten", argv: ["01e5"], rest: ["01e5"] },
  { title: "a text that looks like a number", argv: ["--queue", "0199"], flags: { queue: "0199" } },
  {
    title: "JSON words",
    argv: ["t", "1", '"x"', "[1,2]", "null", "1e3"],
    rest: ["t", "1", '"x"', "[1,2]", "null", "1e3"],
  },
  {
    title: "words of many lines and scripts",
    argv: ["a\nb", "\u00e9\u{1f600}"],
    rest: ["a\nb", "\u00e9\u{1f600}"],
  },
];

/** What is typed, and what is said of it. */
const REFUSED: { title: string; argv: string[]; says: string }[] = [
  {
    title: "an unknown flag that is like a known one",
    argv: ["--queu", "q"],
    says: 'Unknown flag "--queu" (did you mean "--queue"?)',
  },
  {
    title: "an unknown flag with a value behind =",
    argv: ["--priorty=3"],
    says: 'Unknown flag "--priorty" (did you mean "--priority"?)',
  },
  {
    title: "an unknown flag that is like none",
    argv: ["--colour-of-the-moon"],
    says: 'Unknown flag "--colour-of-the-moon"',
  },
  {
    title: "an unknown flag between words",
    argv: ["a", "--hello-there", "b"],
    says: 'Unknown flag "--hello-there"',
  },
  { title: "an unknown short flag", argv: ["-x"], says: 'Unknown flag "-x"' },
  {
    title: "the negation of a switch",
    argv: ["--no-wait"],
    says: 'Unknown flag "--no-wait" (did you mean "--wait"?)',
  },
  { title: "a name that every object has", argv: ["--constructor=1"], says: 'Unknown flag "--constructor"' },
  { title: "__proto__", argv: ["--__proto__", "x"], says: 'Unknown flag "--__proto__"' },
  { title: "a missing value at the end", argv: ["--queue"], says: "Flag --queue needs a value" },
  { title: "a missing value before a flag", argv: ["--queue", "--wait"], says: "Flag --queue needs a value" },
  { title: "a missing number", argv: ["--priority"], says: "Flag --priority needs a value" },
  {
    title: "a word where a number belongs",
    argv: ["--priority", "high"],
    says: 'Flag --priority needs a number: given "high"',
  },
  {
    title: "a blank where a number belongs",
    argv: ["--priority", " "],
    says: 'Flag --priority needs a number: given " "',
  },
  { title: "an empty number", argv: ["--priority="], says: 'Flag --priority needs a number: given ""' },
  {
    title: "an endless number",
    argv: ["--priority", "Infinity"],
    says: 'Flag --priority needs a number: given "Infinity"',
  },
  { title: "a switch with a value", argv: ["--json=no"], says: 'Flag --json takes no value: given "no"' },
  { title: "a switch set to true", argv: ["--json=true"], says: 'Flag --json takes no value: given "true"' },
  {
    title: "a switch set to false",
    argv: ["--json=false"],
    says: 'Flag --json takes no value: given "false"',
  },
];

const parsers = [nodeParser, await stdParser()].filter((parser): parser is ArgsParser =>
  parser !== undefined
);

for (const parser of parsers) {
  for (const { title, argv, flags = {}, rest = [] } of READ) {
    test(`readArgs() reads ${title} with ${parser.name}`, () => {
      assert.deepEqual(readArgs(argv, FLAGS, parser), { flags, rest });
    });
  }

  for (const { title, argv, says } of REFUSED) {
    test(`readArgs() refuses ${title} with ${parser.name}`, () => {
      assert.throws(() => readArgs(argv, FLAGS, parser), (error: unknown) => {
        assert.ok(error instanceof DispatcherError);
        assert.deepEqual({ message: error.message, code: error.code, exit: error.exit }, {
          message: says,
          code: "usage",
          exit: 2,
        });
        return true;
      });
    });
  }
}
