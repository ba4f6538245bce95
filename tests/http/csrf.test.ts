/** What another site can make a browser send, and the headers that answers carry. */
import assert from "node:assert/strict";
import type { Credential } from "../../runtime/http_access.ts";
import { CSRF_FIELD, csrfField } from "../../runtime/http/csrf.ts";
import { test } from "../harness.ts";
import { basic, bearer, site, type SiteOptions } from "./site.ts";

const CREDENTIALS: Credential[] = [
  { kind: "basic", role: "operator", user: "ann", password: "password" },
  { kind: "basic", role: "operator", user: "bob", password: "password" },
  { kind: "bearer", role: "operator", name: "deploy", token: "a-long-token" },
];
const FORM = "application/x-www-form-urlencoded";
const HALF_A_DAY = 12 * 3_600_000;

/** A site with a page that has a form, and a thing to send it to. */
async function open(config: SiteOptions["config"] = {}) {
  const made = await site({ config });
  made.app.get("/form", async (c) => c.html(await csrfField(c)));
  made.app.post("/act", async (c) => c.json((await c.req.parseBody()).name ?? null));
  const { ask } = made;
  const page = async (headers: Record<string, string> = {}) => {
    const text = await (await ask("/form", { headers })).text();
    return /^<input type="hidden" name="_csrf" value="([\w-]+)">$/.exec(text)![1];
  };
  const send = (headers: Record<string, string>, body?: string) =>
    ask("/act", { method: "POST", headers, body });
  const status = async (headers: Record<string, string>, body?: string) => (await send(headers, body)).status;
  return { ...made, page, send, status };
}

test("what changes something must come from our own pages", async () => {
  const { status } = await open();
  const json = { "content-type": "application/json" };
  assert.equal(await status(json, "{}"), 200, "no browser: nothing says where it comes from");
  for (const site of ["cross-site", "same-site", "", "odd"]) {
    assert.equal(await status({ ...json, "sec-fetch-site": site }, "{}"), 403, site);
  }
  for (const site of ["same-origin", "none"]) {
    assert.equal(await status({ ...json, "sec-fetch-site": site }, "{}"), 200, site);
  }
});

test("of an old browser the origin counts, behind TLS too", async () => {
  const { status } = await open();
  const json = (origin: string) => status({ "content-type": "application/json", origin }, "{}");
  assert.equal(await json("http://127.0.0.1:8070"), 200);
  assert.equal(await json("https://127.0.0.1:8070"), 200);
  for (const origin of ["http://evil.example", "http://127.0.0.1:8071", "null", ""]) {
    assert.equal(await json(origin), 403, origin);
  }
});

test("a form needs the token of its page", async () => {
  const { page, send, status } = await open();
  const token = await page();
  const good = await send(
    { "content-type": FORM },
    new URLSearchParams({ [CSRF_FIELD]: token, name: "x" }).toString(),
  );
  assert.deepEqual([good.status, await good.json()], [200, "x"]);
  assert.equal(await status({ "content-type": FORM, "x-csrf-token": token }, "name=x"), 200);
  const bad = await send({ "content-type": FORM }, "name=x");
  assert.equal(bad.status, 403);
  assert.equal(
    (await bad.json()).detail,
    "Cannot take this request: its form is too old: load the page again",
  );
  for (const type of [`${FORM};charset=utf-8`, "text/plain", "MULTIPART/form-data; boundary=x"]) {
    assert.equal(await status({ "content-type": type }, "--x--"), 403, type);
  }
  assert.equal(await status({ "content-type": FORM }, `${CSRF_FIELD}=${token.slice(0, -1)}`), 403);
  assert.equal(
    await status({ "content-type": FORM, "sec-fetch-site": "cross-site" }, `${CSRF_FIELD}=${token}`),
    403,
  );
});

test("a token is good for half a day at least, for nobody else, and on every node of the cluster", async () => {
  const one = await open({ http_auth: CREDENTIALS });
  const other = await open({ http_auth: CREDENTIALS });
  const [ann, bob] = [basic("ann", "password"), basic("bob", "password")];
  const body = `${CSRF_FIELD}=${await one.page(ann)}`;
  const form = { "content-type": FORM };
  assert.equal(await one.status({ ...form, ...ann }, body), 200);
  assert.equal(await one.status({ ...form, ...bob }, body), 403);
  assert.equal(await other.status({ ...form, ...ann }, body), 200);
  await one.clock.advance(HALF_A_DAY);
  assert.equal(await one.status({ ...form, ...ann }, body), 200);
  await one.clock.advance(HALF_A_DAY);
  assert.equal(await one.status({ ...form, ...ann }, body), 403);
});

test("without a secret in the configuration a token is one process's", async () => {
  const [one, other] = [await open(), await open()];
  const body = `${CSRF_FIELD}=${await one.page()}`;
  assert.equal(await one.status({ "content-type": FORM }, body), 200);
  assert.equal(await other.status({ "content-type": FORM }, body), 403);
});

test("a bearer token is nothing that a browser sends by itself", async () => {
  const { status } = await open({ http_auth: CREDENTIALS });
  const foreign = { "content-type": FORM, "sec-fetch-site": "cross-site" };
  assert.equal(await status({ ...foreign, ...bearer("a-long-token") }, "a=b"), 200);
  assert.equal(await status({ ...foreign, ...basic("ann", "password") }, "a=b"), 403);
});

test("an answer may not be framed, sniffed or kept, and runs scripts with its own nonce only", async () => {
  const made = await site();
  made.app.get("/page", (c) => c.html(`<script nonce="${c.var.nonce}"></script>`));
  made.app.get("/asset", (c) => c.body("x", 200, { "Cache-Control": "max-age=60" }));
  const [one, two] = [await made.ask("/page"), await made.ask("/page")];
  const nonceOf = async (answer: Response) => {
    const [, nonce] = /nonce="([^"]+)"/.exec(await answer.text())!;
    const policy = answer.headers.get("content-security-policy")!;
    assert.ok(policy.includes(`script-src 'self' 'nonce-${nonce}'`), policy);
    assert.match(policy, /default-src 'none'.*frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    return nonce;
  };
  assert.notEqual(await nonceOf(one), await nonceOf(two));
  assert.equal(one.headers.get("x-content-type-options"), "nosniff");
  assert.equal(one.headers.get("x-frame-options"), "DENY");
  assert.equal(one.headers.get("cache-control"), "no-store");
  assert.equal((await made.ask("/asset")).headers.get("cache-control"), "max-age=60");
  assert.equal((await made.ask("/nothing")).headers.get("cache-control"), "no-store");
});
