// @runtimes node
/** The dashboard in a real browser: every page in both themes, live updates with a node that dies, keys, no script. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { cluster } from "../integration/cluster.ts";
import { type Runtime, runtimes, test, type TestContext } from "../harness.ts";
import { TcpProxy } from "../harness/tcp_proxy.ts";
import { axe, closeBrowser, keep, needsChromium, openPage } from "./browser.ts";

const skip = needsChromium();
const SIZES = { wide: { width: 1280, height: 860 }, narrow: { width: 390, height: 844 } };

/** A cluster with something of everything, its pages by name. */
async function busy(t: TestContext) {
  const made = await cluster(t);
  const { client, node } = made;
  const schedules = {
    nightly: { task: "examples/add", args: [1, 2], cron: "30 4 * * 1-5" },
    pulse: { task: "examples/add", args: [1, 2], every: 1 },
  };
  const alpha = await node({ name: "alpha", workers: 3, http: true, config: { schedules } });
  const [failed] = await client.publishMany(
    [1, 2, 3].map((n) => ({ task: "examples/fail", args: [`no ${n}`, { password: "hunter2" }] })),
  );
  await client.publishMany(Array.from({ length: 60 }, (_, i) => ({ task: "examples/add", args: [i, i] })));
  const running = await client.publish("examples/sleep", [600]);
  await client.publish("mail/welcome", [{ to: "ada" }], { queue: "mail" });
  await made.until(failed.uuid, (row) => row.state === "discarded");
  await made.until(running.uuid, (row) => row.state === "running");
  const pages = {
    overview: "/",
    envelopes: "/envelopes",
    envelope: `/envelopes/${failed.uuid}`,
    running: `/envelopes/${running.uuid}`,
    queues: "/queues",
    nodes: "/nodes",
    schedules: "/schedules",
    failures: "/failures",
    receivers: "/receivers",
    system: "/system",
    charts: "/charts",
    help: "/help",
    purge: "/ask/queue/purge?queue=mail&back=/queues",
    missing: "/envelopes/00000000-0000",
  };
  return { ...made, http: alpha.http, pages, running: running.uuid, failed: failed.uuid };
}

const live = (page: Page) => page.waitForSelector("#fresh.live", { timeout: 10_000 });

test(
  "every page, in both themes and two sizes, is without violations of axe",
  { skip, timeout: 120_000 },
  async (t) => {
    const { http, pages } = await busy(t);
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await openPage(t, { colorScheme });
      for (const [name, path] of Object.entries(pages)) {
        for (const [size, viewport] of Object.entries(SIZES)) {
          // What is too wide is so in any colour.
          if (size === "narrow" && colorScheme === "dark" && name !== "overview") continue;
          await page.setViewportSize(viewport);
          await page.goto(`${http}${path}`);
          if (await page.$("body[data-live]")) await live(page);
          await keep(page, `${name}-${colorScheme}-${size}`);
          if (size === "wide" || name === "overview") {
            assert.deepEqual(await axe(page), [], `${name} ${colorScheme} ${size}`);
          }
          const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
          assert.ok(Number(overflow) <= 0, `${name} is ${overflow} px too wide (${size})`);
          const cut = await page.evaluate(`[...document.querySelectorAll("nav a[aria-current]")]
            .map((tab) => tab.getBoundingClientRect()).filter((tab) => tab.left < 0 || tab.right > innerWidth).length`);
          assert.equal(cut, 0, `${name}: its tab is cut (${size})`);
        }
      }
    }
  },
);

test(
  "what happens is on the page by itself, and a killed node is said",
  { skip, timeout: 90_000 },
  async (t) => {
    const { client, node, until } = await cluster(t);
    const { http } = await node({ name: "alpha", workers: 2, http: true });
    const beta = await node({ name: "beta", workers: 2 });
    const page = await openPage(t);
    await page.goto(`${http}/`);
    await live(page);
    assert.match(await page.innerText("#attention"), /Nothing needs your attention/);
    const { uuid } = await client.publish("examples/sleep", [600], { queue: "beta" });
    await until(uuid, (row) => row.state === "running");
    // The nodes tell of their slots themselves, the states are counted: one may come a look before the other.
    await page.waitForFunction(
      `/1\\/2/.test(document.querySelector("#nodes").innerText) &&
        document.querySelector("#states a[href*=running] b").innerText === "1"`,
      null,
      { timeout: 2_500 },
    );
    assert.match(await page.innerText("#fresh-text"), /^live, [01]\.\d s old$/);
    beta.kill("SIGKILL");
    await page.waitForFunction(
      `/"beta" does not answer/.test(document.querySelector("#attention").innerText)`,
      null,
      {
        timeout: 6_000,
      },
    );
    await keep(page, "killed-node");
  },
);

test("a lost stream is said, and found again", { skip, timeout: 90_000 }, async (t) => {
  const { node } = await cluster(t);
  const { http } = await node({ name: "alpha", workers: 1, http: true });
  const way = await TcpProxy.before(t, http);
  const page = await openPage(t);
  await page.goto(`http://127.0.0.1:${way.port}/queues`);
  await live(page);
  await way.refuse();
  await page.waitForSelector("#fresh.lost", { timeout: 15_000 });
  assert.match(await page.innerText("#fresh-text"), /^stream lost, /);
  await page.waitForFunction(`/stream was lost/.test(document.querySelector("#said").textContent)`);
  await keep(page, "lost-stream");
  await way.heal();
  await live(page);
});

test("what a person chose stays while the page changes under it", { skip, timeout: 90_000 }, async (t) => {
  const { http, client, running } = await busy(t);
  const page = await openPage(t);
  await page.goto(`${http}/envelopes?q=task:examples/sleep`);
  await live(page);
  await page.check(`input[value="${running}"]`);
  await page.focus(`input[value="${running}"]`);
  const { uuid } = await client.publish("examples/sleep", [600], { delay: 600 });
  await page.waitForSelector(`input[value="${uuid}"]`);
  assert.equal(await page.isChecked(`input[value="${running}"]`), true);
  assert.equal(await page.evaluate("document.activeElement.value"), running);
  assert.equal(await page.isChecked(`input[value="${uuid}"]`), false);
  await page.goto(`${http}/nodes`);
  await live(page);
  await page.click("#running-alpha summary");
  await page.fill("#max-alpha", "9");
  await client.publish("examples/sleep", [600]);
  await page.waitForFunction(`/2 envelopes running/.test(document.querySelector("#alive").innerText)`);
  assert.equal(await page.getAttribute("#running-alpha", "open"), "");
  assert.equal(await page.inputValue("#max-alpha"), "9");
});

test("without a script everything is seen and done", { skip, timeout: 90_000 }, async (t) => {
  const { http, client, failed, running } = await busy(t);
  const page = await openPage(t, { javaScriptEnabled: false });
  const flash = () => page.innerText(".flash");
  await page.goto(`${http}/envelopes/${failed}`);
  await page.click(`text="Retry"`);
  assert.equal(await flash(), "Retried 1 envelope");
  await page.goto(`${http}/envelopes?q=${running}`);
  assert.equal(new URL(page.url()).pathname, `/envelopes/${running}`);
  await page.click("text=Cancel…");
  await page.click("button:has-text('Cancel 1')");
  assert.match(await flash(), /Cancelled 1 envelope; 1 of them run and were told to end/);
  await page.goto(`${http}/queues`);
  await page.click("[aria-label='Pause queue mail']");
  assert.equal(await flash(), 'Queue "mail" is paused');
  await page.click("[aria-label='Resume queue mail']");
  await page.click("[aria-label='Purge queue mail']");
  await page.fill("#typed", "mail");
  await page.click("button:has-text('Purge')");
  assert.equal(await flash(), 'Purged queue "mail": cancelled 1 envelope');
  await page.goto(`${http}/schedules`);
  await page.click("[aria-label='Run now: schedule nightly']");
  assert.match(await flash(), /Published what schedule "nightly" publishes/);
  await page.goto(`${http}/failures`);
  await page.click("text=Retry…");
  await page.click("button:has-text('Retry')");
  assert.match(await flash(), /^Retried \d envelopes?$/);
  await page.goto(`${http}/envelopes?q=state:cancelled`);
  await page.check("[name=all]");
  await page.click("button:has-text('retry…')");
  await page.click("button:has-text('Retry 2')");
  assert.equal(await flash(), "Retried 2 envelopes");
  await page.goto(`${http}/nodes`);
  await page.selectOption("#level-alpha", "debug");
  await page.click("[aria-label='Set log level of node alpha']");
  assert.match(await flash(), /logs debug and above/);
  assert.equal(await page.inputValue("#level-alpha"), "debug", "the page shows what the node has");
  await page.click("button:has-text('light')");
  assert.equal(await page.getAttribute("html", "data-theme"), "light");
  assert.ok((await client.audits()).length >= 8, "all of it was recorded");
});

test(
  "a node is drained, brought back and scaled, and a copy is published",
  { skip, timeout: 90_000 },
  async (t) => {
    const { http, client, failed, running, until } = await busy(t);
    const page = await openPage(t);
    const flash = () => page.innerText(".flash");
    await page.goto(`${http}/nodes`);
    await page.fill("#min-alpha", "2");
    await page.fill("#max-alpha", "5");
    await page.click("[aria-label='Scale node alpha']");
    assert.match(await flash(), /"alpha".*2.*5/);
    await page.waitForFunction(`/2 to 5/.test(document.querySelector("#alive").innerText)`);
    await page.click("[aria-label='Drain node alpha']");
    await page.click("button:has-text('Drain')");
    assert.equal(await flash(), 'Node "alpha" drains');
    await page.waitForFunction(`/draining/.test(document.querySelector("#alive").innerText)`);
    await keep(page, "draining");
    await page.click("[aria-label='Let node alpha claim again']");
    assert.equal(await flash(), 'Node "alpha" claims again');
    await page.goto(`${http}/envelopes/${failed}`);
    await page.click("text=Publish a copy…");
    await page.click("button:has-text('Publish a copy')");
    const [, copy] = /Published a copy: (\S+)/.exec(await flash()) ?? [];
    assert.ok(copy && copy !== failed);
    await until(copy, (row) => row.state === "discarded");
    const did = (await client.audits()).map(({ action, ok }) => `${action} ${ok}`);
    assert.deepEqual(did.toReversed().slice(0, 3), ["scale true", "drain true", "drain true"]);
    // The node is stopped without patience once it says that it drains, which it has said already.
    await client.cancel([running]);
    await until(running, (row) => row.state === "cancelled");
  },
);

test("it is worked by keys, which can be turned off", { skip, timeout: 90_000 }, async (t) => {
  const { http } = await busy(t);
  const page = await openPage(t);
  await page.goto(`${http}/`);
  await live(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate("document.activeElement.className"), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate("location.hash"), "#main");
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  await page.waitForURL(`${http}/envelopes`);
  await live(page);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  assert.match(
    await page.evaluate(
      "document.querySelector('tr.here')?.innerText ?? document.activeElement.outerHTML",
    ) as string,
    /examples|mail/,
  );
  await page.keyboard.press("/");
  await page.keyboard.type("state:discarded");
  await page.keyboard.press("Enter");
  await page.waitForURL(/state%3Adiscarded/);
  await page.locator("h1").click();
  await page.keyboard.press("?");
  assert.equal(await page.isVisible("#help"), true);
  assert.deepEqual(await axe(page), []);
  await page.keyboard.press("Escape");
  assert.equal(await page.isVisible("#help"), false);
  await page.click("text=Turn keyboard shortcuts off");
  await page.locator("h1").click();
  await page.keyboard.press("?");
  assert.equal(await page.isVisible("#help"), false);
});

for (const runtime of ["deno", "bun"] as const satisfies Runtime[]) {
  const missing = runtimes()[runtime] ? false : `no ${runtime}`;
  test(
    `a node on ${runtime} serves the same, live`,
    { skip: skip || missing, timeout: 60_000 },
    async (t) => {
      const { client, node } = await cluster(t);
      const { http } = await node({ name: runtime, runtime, workers: 1, http: true });
      const page = await openPage(t);
      await page.goto(`${http}/queues`);
      await live(page);
      await client.publish("a", [], { queue: "nobodys" });
      await page.waitForFunction(`/nobodys/.test(document.querySelector("#queues").innerText)`);
      await page.close();
      const text = await (await fetch(`${http}/`)).text();
      assert.match(text, /Needs attention/);
    },
  );
}

test("the browser goes", { skip }, async () => {
  await closeBrowser();
});
