// @runtimes node
/** The pages of the control plane in a real browser: both themes, two sizes, and live. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { systemClock } from "../../../runtime/clock.ts";
import { serveHttp } from "../../../runtime/http/server.ts";
import { nodePlatform } from "../../../runtime/platform/node.ts";
import { chapter } from "../../../tasks/pages/index.ts";
import { test, type TestContext } from "../../harness.ts";
import { site } from "../../http/site.ts";
import { axe, closeBrowser, keep, needsChromium, openPage } from "../../web/browser.ts";
import { awxDatabase } from "../database.ts";
import { addEvents, plant } from "./fixture.ts";

const skip = needsChromium();
const SIZES = { wide: { width: 1280, height: 860 }, narrow: { width: 390, height: 844 } };
/** Pictures of long pages take their time: only where somebody wants to look at them. */
const picture = process.env.WEB_ARTIFACTS === undefined ? () => Promise.resolve() : keep;
/** What is wrong in any colour is found in the light. */
const RULES = { light: undefined, dark: ["color-contrast", "link-in-text-block"] };
const live = (page: Page) => page.waitForSelector("#fresh.live", { timeout: 10_000 });

/** The pages over tables that are filled, served by this process: no manager changes anything. */
async function planted(t: TestContext) {
  const { client, sql } = await awxDatabase(t);
  const { parts } = await site({ client, config: { http: "127.0.0.1:0" } });
  const server = await serveHttp({ ...parts, clock: systemClock }, {
    platform: nodePlatform,
    chapter: () => Promise.resolve(chapter),
  });
  t.after(() => server!.close());
  return { http: `http://${server!.address}`, client, sql, ...await plant(sql) };
}

test("each page, in both themes and two sizes, is without violations of axe", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const { http, failed, pending, running, workflow, template } = await planted(t);
  const pages = {
    jobs: "/jobs",
    "jobs-failed": "/jobs?q=status:failed,error",
    job: `/jobs/${failed}`,
    pending: `/jobs/${pending}`,
    running: `/jobs/${running}`,
    launch: `/jobs/launch?template=job_template:${template}`,
    workflows: "/workflows",
    workflow: `/workflows/${workflow}`,
    instances: "/instances",
    resources: "/resources",
    cancel: `/ask/job/cancel?job=${running}&back=/jobs`,
  };
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await openPage(t, { colorScheme });
    for (const [name, path] of Object.entries(pages)) {
      // Their parts are on other pages too.
      if (colorScheme === "dark" && ["jobs-failed", "pending", "workflows", "cancel"].includes(name)) {
        continue;
      }
      await page.setViewportSize(SIZES.wide);
      await page.goto(`${http}${path}`);
      if (await page.$("body[data-live]")) await live(page);
      await picture(page, `awx-${name}-${colorScheme}-wide`);
      assert.deepEqual(await axe(page, RULES[colorScheme]), [], `${name} ${colorScheme}`);
      if (colorScheme === "dark") continue;
      await page.setViewportSize(SIZES.narrow);
      await picture(page, `awx-${name}-narrow`);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      assert.ok(Number(overflow) <= 0, `${name} is ${overflow} px too wide`);
    }
  }
});

/** Whether the last line of the output is in sight. */
const END_IN_SIGHT = `(() => {
  const [box, line] = [document.querySelector(".tail"), document.querySelector(".output li:last-child")]
    .map((element) => element.getBoundingClientRect());
  return line.bottom <= box.bottom && line.top >= box.top;
})()`;

test("a job is followed: its output keeps its end in sight, its status changes, what is typed stays", {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { http, sql, running } = await planted(t);
  const page = await openPage(t);
  const shows = (text: string, where: string) =>
    page.waitForFunction(`document.querySelector("${where}").innerText.includes("${text}")`);
  const say = (from: number, to: number) =>
    addEvents(
      sql,
      running,
      Array.from({ length: to - from + 1 }, (_, i) => ({ event: "verbose", stdout: `step ${from + i}.` })),
    );
  await page.goto(`${http}/jobs/${running}`);
  await live(page);
  await page.fill("#host", "web1");
  await say(1, 200);
  await shows("step 200.", "#output");
  assert.equal(await page.evaluate(END_IN_SIGHT), true);
  await page.evaluate(`document.querySelector(".tail").scrollTop = -2000`);
  const before = await page.evaluate(`document.querySelector(".tail").scrollTop`);
  await say(201, 210);
  await shows("step 210.", "#output");
  assert.equal(await page.evaluate(END_IN_SIGHT), false, "who has scrolled up stays there");
  assert.ok(Number(before) < -100);
  await sql.unsafe(
    `update awx.unified_job set status = 'failed', finished = clock_timestamp(), elapsed = 12,
       events_closed_at = clock_timestamp(), host_status_counts = '{"ok": 4, "failures": 1}',
       job_explanation = 'The web server is on fire' where id = $1::bigint`,
    [running] as never[],
  );
  await shows("failed", "#head");
  await shows("on fire", "#why");
  await shows("complete", "#output");
  await shows("Relaunch on failed hosts", "#head");
  assert.equal(await page.inputValue("#host"), "web1");
  await page.click("text=Narrow");
  await page.waitForURL(/host=web1/);
  assert.ok(!(await page.innerText("#events")).includes("web2"));
});

test("a workflow is followed: the box of a node changes, and its job is behind it", {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { http, sql, workflow } = await planted(t);
  const page = await openPage(t);
  await page.goto(`${http}/workflows/${workflow}`);
  await live(page);
  assert.equal(await page.locator(".graph a.node-box.busy").count(), 1);
  await sql.unsafe(
    `update awx.unified_job set status = 'successful', finished = clock_timestamp(), elapsed = 7
     where workflow_job_id = $1::bigint and status = 'running'`,
    [workflow] as never[],
  );
  await page.waitForSelector(".graph a.node-box.busy", { state: "detached" });
  await page.focus(".graph a.node-box.bad");
  assert.match(
    await page.textContent(".graph a.node-box.bad .state") ?? "",
    /^failed$/,
  );
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/jobs\/\d+$/);
  await live(page);
  await page.keyboard.press("g");
  await page.keyboard.press("b");
  await page.waitForURL(`${http}/jobs`);
});

test("without a script a job is launched and cancelled", { skip, timeout: 60_000 }, async (t) => {
  const { http } = await planted(t);
  const page = await openPage(t, { javaScriptEnabled: false });
  await page.goto(`${http}/jobs`);
  await page.click("text=Launch…");
  await page.selectOption("#template", { label: "deploy site (playbook)" });
  await page.fill("#extra_vars", '{"version": "3"}');
  await page.fill("#limit", "web2");
  await page.click("button:has-text('Launch')");
  assert.match(await page.innerText(".flash"), /^Launched job \d+ "deploy site"$/);
  assert.match(await page.innerText("#extra-vars"), /"version": "3"/);
  await page.click("text=Cancel…");
  await page.click("button:has-text('Cancel it')");
  assert.match(await page.innerText(".flash"), /^Canceled job/);
  assert.match(await page.innerText("#head"), /canceled/);
});

test("the browser goes", { skip }, async () => {
  await closeBrowser();
});
