/**
 * A real Chromium without a window, for tests of the dashboard. Screenshots are kept in WEB_ARTIFACTS when that names a
 * directory, else in a temporary one.
 *
 * @module
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { tempDir, type TestContext } from "../harness.ts";

/** The binary: CHROMIUM_PATH, or Debian's; undefined when there is none. */
export function chromiumPath(): string | undefined {
  return [process.env.CHROMIUM_PATH, "/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) =>
    path && existsSync(path)
  );
}

/** The reason to skip a test that needs a browser, or false; always false in CI. */
export function needsChromium(): string | false {
  return process.env.CI === "true" || chromiumPath()
    ? false
    : "no Chromium (CHROMIUM_PATH, or Debian's chromium)";
}

const ARTIFACTS = process.env.WEB_ARTIFACTS ?? tempDir();
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser: Promise<Browser> | undefined;

/** A page of a browser; it is closed after the test, which fails if the page said an error or asked another host. */
export async function openPage(t: TestContext, options: BrowserContextOptions = {}): Promise<Page> {
  browser ??= launch();
  // The test's own scripts are no part of the page's policy.
  const context = await (await browser).newContext({
    bypassCSP: true,
    viewport: { width: 1280, height: 860 },
    ...options,
  });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !/net::ERR|status of (404|503)/.test(message.text())) {
      faults.push(message.text());
    }
  });
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol !== "data:" && hostname !== "127.0.0.1") faults.push(`It asked ${request.url()}`);
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  return page;
}

async function launch(): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  return await chromium.launch({ executablePath: chromiumPath(), args: ["--no-sandbox", "--disable-gpu"] });
}

/** After the last test of a file. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = undefined;
}

/** Keep a picture, for people to look at. */
export async function keep(page: Page, name: string): Promise<void> {
  mkdirSync(ARTIFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTIFACTS, `${name}.png`), fullPage: true });
}

interface Violation {
  id: string;
  nodes: { target: string[]; failureSummary?: string }[];
}

/**
 * What axe-core finds wrong, a line each.
 *
 * @param rules By default all of them.
 */
export async function axe(page: Page, rules?: string[]): Promise<string[]> {
  await page.evaluate(AXE);
  const options = JSON.stringify(rules ? { runOnly: rules } : {});
  const violations = await page.evaluate(
    `axe.run(document, ${options}).then((found) => found.violations)`,
  ) as Violation[];
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(" ")}: ${failureSummary}`)
  );
}
