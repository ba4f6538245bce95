/** What every adapter of a runtime must do when it serves HTTP. */
import assert from "node:assert/strict";
import type { Platform } from "../../runtime/platform/platform.ts";
import { test, type TestContext } from "../harness.ts";

const LOCAL = { hostname: "127.0.0.1", port: 0 };

export function serveConformance(load: () => Promise<Platform>): void {
  test("serve() answers on a free port and tells the address of the other side", async (t) => {
    const { port } = await serve(t, await load(), async (request, address) => {
      const { pathname } = new URL(request.url);
      return new Response(`${request.method} ${pathname} ${await request.text()} ${address}`, {
        status: 201,
        headers: { "x-mark": "kept" },
      });
    });
    const answer = await fetch(`http://127.0.0.1:${port}/a/b`, { method: "POST", body: "body" });
    assert.deepEqual([answer.status, answer.headers.get("x-mark")], [201, "kept"]);
    assert.match(await answer.text(), /^POST \/a\/b body (::ffff:)?127\.0\.0\.1$/);
  });

  test("serve() rejects when the address is taken", async (t) => {
    const platform = await load();
    const { port } = await serve(t, platform, () => Promise.resolve(new Response("first")));
    await assert.rejects(
      platform.serve({ ...LOCAL, port, fetch: () => Promise.resolve(new Response()) }),
      Error,
    );
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "first");
  });

  test("serve() streams, and close() ends what is told to end", async (t) => {
    const platform = await load();
    const closing = new AbortController();
    const served = await platform.serve({
      ...LOCAL,
      fetch: () => Promise.resolve(new Response(stream(closing.signal))),
    });
    t.after(() => closing.abort());
    const answer = await fetch(`http://127.0.0.1:${served.port}/`);
    const reader = answer.body!.getReader();
    const { value } = await reader.read();
    assert.equal(new TextDecoder().decode(value), "first");
    closing.abort();
    await served.close();
    await reader.read().then(() => {}, () => {});
    await assert.rejects(fetch(`http://127.0.0.1:${served.port}/`));
  });
}

async function serve(t: TestContext, platform: Platform, fetch: Parameters<Platform["serve"]>[0]["fetch"]) {
  const served = await platform.serve({ ...LOCAL, fetch });
  t.after(() => served.close());
  return served;
}

/** Says one thing, and then nothing until it is told to end. */
function stream(end: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("first"));
      end.addEventListener("abort", () => controller.close(), { once: true });
    },
  });
}
