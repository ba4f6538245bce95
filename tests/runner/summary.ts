import type { FileResult, Note } from "./run_file.ts";

/** Give the progress line of a file on a runtime. */
export function progressLine(result: FileResult): string {
  const counts = [
    `${result.passed} passed`,
    ...(result.failed.length > 0 ? [`${result.failed.length} FAILED`] : []),
    ...(result.skipped.length > 0 ? [`${result.skipped.length} skipped`] : []),
  ].join(", ");
  return `${result.runtime.padEnd(5)}${result.path.padEnd(52)} ${counts}  ${(result.ms / 1000).toFixed(1)} s`;
}

/**
 * Give the end of the run: a line a runtime, the failures, the skipped with reasons, where the screenshots of the
 * browser's tests are, if that is somewhere, and last the count line.
 */
export function summarise(
  results: FileResult[],
  problems: Note[],
  screenshots?: string,
): { text: string; ok: boolean } {
  const passed = sum(results, (result) => result.passed);
  const failed = sum(results, (result) => result.failed.length) + problems.length;
  const skipped = sum(results, (result) => result.skipped.length);
  const noTest = passed + failed === 0;
  const failures = [
    ...results.flatMap((result) =>
      result.failed.map((note) => failureLine(`${result.runtime} ${result.path} › `, note))
    ),
    ...problems.map((note) => failureLine("", note)),
    ...(noTest ? [failureLine("", { name: "(the run)", detail: "no test ran" })] : []),
  ];
  const text = [
    "",
    ...perRuntime(results),
    ...section("Failures", failures),
    ...section("Skipped", skippedLines(results)),
    ...section("Screenshots", screenshots === undefined ? [] : [`  ${screenshots}`]),
    "",
    `${passed} passed, ${failed + (noTest ? 1 : 0)} failed, ${skipped} skipped`,
  ].join("\n");
  return { text, ok: failures.length === 0 };
}

function perRuntime(results: FileResult[]): string[] {
  const runtimes = [...new Set(results.map((result) => result.runtime))];
  return runtimes.map((runtime) => {
    const own = results.filter((result) => result.runtime === runtime);
    const seconds = sum(own, (result) => result.ms) / 1000;
    const counts = `${sum(own, (r) => r.passed)} passed, ${sum(own, (r) => r.failed.length)} failed`;
    return `${runtime.padEnd(5)}${own.length} files: ${counts}, ${
      sum(own, (r) => r.skipped.length)
    } skipped` +
      `  ${seconds.toFixed(0)} s`;
  });
}

function failureLine(where: string, { name, detail }: Note): string {
  const first = detail.split("\n").find((line) => line.trim()) ?? "";
  return `  ${where}${name}: ${first.trim().slice(0, 300)}`;
}

/** The same test skipped for the same reason on several runtimes is one line. */
function skippedLines(results: FileResult[]): string[] {
  const runtimes = new Map<string, string[]>();
  for (const { path, runtime, skipped } of results) {
    for (const { name, detail } of skipped) {
      const key = `${path} › ${name}: ${detail}`;
      runtimes.set(key, [...runtimes.get(key) ?? [], runtime]);
    }
  }
  return [...runtimes].map(([key, names]) => `  ${names.join(",")} ${key}`);
}

function section(title: string, lines: string[]): string[] {
  return lines.length > 0 ? ["", `${title}:`, ...lines] : [];
}

function sum<T>(items: T[], count: (item: T) => number): number {
  return items.reduce((total, item) => total + count(item), 0);
}
