/**
 * The dashboard: pages, the actions on them, and what is sent to those who watch.
 *
 * | request | answer |
 * |---|---|
 * | GET of a page | the whole page, which needs no script |
 * | GET /ask/THING/VERB | what would happen, and a button |
 * | POST /act/THING/VERB | does it, and leads back to where it came from, where the next page says what was done |
 * | GET /live?page=… | the page's sections as they change |
 *
 * @module
 */
import { Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { mayAct } from "./access.ts";
import { act } from "./act.ts";
import { loadAssets } from "./assets.ts";
import type { Ctx, Env } from "./env.ts";
import { eventStream } from "./event_stream.ts";
import type { Live } from "./live.ts";
import type { HttpParts } from "./parts.ts";
import { statusOf } from "./problem.ts";
import type { Sampler } from "./sampler.ts";
import { Fields } from "./view/actions/action.ts";
import { questionPage } from "./view/actions/all.ts";
import type { Book } from "./view/book.ts";
import { html } from "./view/bits.ts";
import { readCharts, spanOf } from "./view/charts.ts";
import type { Flash } from "./view/layout.ts";
import type { Drawn } from "./view/page.ts";
import { readSearch } from "./view/search.ts";
import { Desk } from "./view/desk.ts";
import { DispatcherError, errorLine } from "../errors.ts";

/** Cookies; a page of another site cannot set them, and they hold no secret. */
const [THEME, KEYS, FLASH] = ["theme", "keys", "flash"];
const KEPT_SECONDS = 365 * 86_400;
const FLASH_CHARS = 1_500;

/** The dashboard of a node. */
export function dashboard(parts: HttpParts, book: Book, sampler: Sampler, live: Live): Hono<Env> {
  const app = new Hono<Env>();
  const site = new Site(parts, book, sampler, live);
  app.onError((error, c) => site.failed(c, error));
  app.get("/assets/:name", (c) => site.asset(c));
  app.get("/data/charts", async (c) => c.json(await readCharts(await parts.client(), spanOf(queryOf(c)))));
  app.get("/live", (c) => site.live(c));
  app.get("/ask/:thing/:verb", (c) => site.ask(c));
  app.post("/act/:thing/:verb", (c) => site.act(c));
  app.post("/taste", (c) => site.taste(c));
  app.get("/envelopes", (c, next) => site.open(c) ?? next());
  for (const { path } of book.pages) app.get(path, (c) => site.page(c));
  app.get("*", (c, next) => site.lost(c) ?? next());
  return app;
}

/** Answers requests. */
class Site {
  readonly #parts: HttpParts;
  readonly #live: Live;
  readonly #sampler: Sampler;
  readonly #desk: Desk;
  readonly #book: Book;
  #assets: ReturnType<typeof loadAssets> | undefined;

  constructor(parts: HttpParts, book: Book, sampler: Sampler, live: Live) {
    this.#parts = parts;
    this.#book = book;
    this.#live = live;
    this.#sampler = sampler;
    this.#desk = new Desk(parts, book, sampler);
  }

  async page(c: Ctx): Promise<Response> {
    const here = this.#hereOf(c);
    return await this.#show(c, await this.#desk.draw(here, mayAct(c), this.#desk.csrfField(c.var.csrf())));
  }

  /** A search for a uuid opens it; undefined for any other. */
  open(c: Ctx): Response | undefined {
    const { uuid } = readSearch(queryOf(c).get("q") ?? "");
    // Several may begin so: then they are listed.
    if (uuid === undefined || queryOf(c).has("list")) return undefined;
    return c.redirect(this.#desk.to(`/envelopes/${uuid}`));
  }

  live(c: Ctx): Response {
    const here = localPath(queryOf(c).get("page") ?? "/");
    if (!this.#book.pageAt(pathOf(here))) {
      throw new HTTPException(404, { message: `Cannot watch "${here}": no such page` });
    }
    const stream = this.#live.watch(this.#desk.watched(here, mayAct(c), c.var.csrf()), c.req.raw.signal);
    return stream ? eventStream(c, stream) : c.text("Too many watch already", 503, { "Retry-After": "5" });
  }

  async ask(c: Ctx): Promise<Response> {
    const { thing, verb } = c.req.param() as { thing: string; verb: string };
    const deed = this.#book.deedOf(thing, verb);
    if (!deed?.ask) {
      throw new HTTPException(404, { message: `Cannot ask whether to ${verb} ${thing}: no such action` });
    }
    if (!mayAct(c)) throw new HTTPException(403, { message: "Cannot let you do this: it needs an operator" });
    const fields = new Fields(queryOf(c));
    const question = await deed.ask(await this.#parts.client(), fields);
    const action = this.#desk.to(`/act/${thing}/${verb}`);
    const back = this.#desk.to(localPath(fields.get("back") ?? "/"));
    return await this.#show(
      c,
      questionPage(question, { action, back, csrf: this.#desk.csrfField(c.var.csrf()) }),
    );
  }

  async act(c: Ctx): Promise<Response> {
    const { thing, verb } = c.req.param() as { thing: string; verb: string };
    const deed = this.#book.deedOf(thing, verb);
    if (!deed) throw new HTTPException(404, { message: `Cannot ${verb} ${thing}: no such action` });
    const fields = await fieldsOf(c);
    let flash: Flash;
    let then: string | undefined;
    try {
      const target = deed.target(fields);
      const text = await act(c, deed.action, target, async (client) => {
        if (thing === "queue" && verb === "purge") confirm(fields, target);
        const done = await deed.run(client, fields);
        then = done.then;
        return done;
      });
      flash = { ok: true, text };
    } catch (error) {
      if (error instanceof HTTPException) throw error;
      if (!(error instanceof DispatcherError)) throw error;
      flash = { ok: false, text: error.message };
    }
    this.#sampler.outdate();
    setCookie(
      c,
      FLASH,
      JSON.stringify({ ...flash, text: flash.text.slice(0, FLASH_CHARS) }),
      this.#cookie(60),
    );
    return c.redirect(then === undefined ? this.#back(fields) : this.#desk.to(localPath(then)), 303);
  }

  async taste(c: Ctx): Promise<Response> {
    const fields = await fieldsOf(c);
    const [theme, keys] = [fields.get("theme"), fields.get("keys")];
    if (theme && ["light", "dark", "system"].includes(theme)) {
      setCookie(c, THEME, theme, this.#cookie(KEPT_SECONDS));
    }
    if (keys && ["on", "off"].includes(keys)) setCookie(c, KEYS, keys, this.#cookie(KEPT_SECONDS));
    return c.redirect(this.#back(fields), 303);
  }

  /** A file of ours; under its version it never changes. */
  async asset(c: Ctx): Promise<Response> {
    this.#assets ??= loadAssets();
    const asset = (await this.#assets).get(c.req.param("name")!);
    if (!asset) throw new HTTPException(404, { message: `Cannot find ${c.req.path}` });
    const keep = c.req.query("v") === asset.version ? "public, max-age=31536000, immutable" : "no-cache";
    return c.body(asset.body, 200, { "Content-Type": asset.type, "Cache-Control": keep });
  }

  /** Whoever looks for a page gets one, also where there is none; undefined for programs. */
  lost(c: Ctx): Promise<Response> | undefined {
    const path = pathOf(this.#hereOf(c));
    if (!c.req.header("accept")?.includes("text/html") || path.startsWith("/api/")) return undefined;
    return this.failed(c, new HTTPException(404, { message: `Cannot show "${path}": no such page` }));
  }

  /** An error as a page, for whoever sees it in a browser. */
  async failed(c: Ctx, error: unknown): Promise<Response> {
    const status = statusOf(error);
    if (status === 500) {
      this.#parts.events.emit(
        "error",
        "http.failed",
        `${c.req.method} ${c.req.path} failed: ${errorLine(error)}`,
      );
    }
    const known = error instanceof DispatcherError || error instanceof HTTPException;
    const text = known ? (error as Error).message : "Cannot answer: see the log of this node";
    const body = html`
      <p class="flash bad" role="alert">${text}</p>
      <p><a href="${this.#desk.to("/")}">To the overview</a></p>
    `;
    const page = { title: "This did not work", still: true, sections: [{ id: "error", body }] };
    return await this.#show(c, page, status);
  }

  async #show(c: Ctx, page: Drawn, status: ContentfulStatusCode = page.status ?? 200): Promise<Response> {
    this.#assets ??= loadAssets();
    const assets = await this.#assets;
    const flash = flashOf(getCookie(c, FLASH));
    if (flash) deleteCookie(c, FLASH, this.#cookie(0));
    const theme = getCookie(c, THEME);
    const document = this.#desk.document(page, {
      here: this.#hereOf(c),
      taste: {
        theme: theme === "light" || theme === "dark" ? theme : "system",
        keys: getCookie(c, KEYS) !== "off",
      },
      flash,
      csrf: this.#desk.csrfField(c.var.csrf?.() ?? ""),
      who: c.var.who ? `${c.var.who.name} (${c.var.who.role})` : "nobody",
      asset: (name) => this.#desk.to(`/assets/${name}?v=${assets.get(name)!.version}`),
    });
    return c.html(await document, status);
  }

  #cookie(maxAge: number) {
    return { path: this.#desk.to("/"), httpOnly: true, sameSite: "Lax", maxAge } as const;
  }

  /** Where a form came from, inside of the dashboard. */
  #back(fields: Fields): string {
    return this.#desk.to(localPath(this.#desk.inside(fields.get("back") ?? "/")));
  }

  #hereOf(c: Ctx): string {
    const { pathname, search } = new URL(c.req.url);
    return `${this.#desk.inside(pathname)}${search}`;
  }
}

/** What must be typed was typed. */
function confirm(fields: Fields, target: string): void {
  if (fields.get("typed") === target) return;
  throw new DispatcherError(
    "refused",
    `Nothing was purged: "${fields.get("typed") ?? ""}" is not "${target}"`,
  );
}

function queryOf(c: Ctx): URLSearchParams {
  return new URL(c.req.url).searchParams;
}

async function fieldsOf(c: Ctx): Promise<Fields> {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(await c.req.parseBody({ all: true }))) {
    for (const one of [value].flat()) if (typeof one === "string") params.append(name, one);
  }
  return new Fields(params);
}

/** A path of this site, whatever was given: nobody is led elsewhere. */
function localPath(path: string): string {
  return /^\/(?![/\\])[^\\\r\n]*$/.test(path) ? path : "/";
}

function pathOf(here: string): string {
  return here.split("?")[0];
}

function flashOf(text: string | undefined): Flash | null {
  if (text === undefined) return null;
  try {
    const { ok, text: said } = JSON.parse(text);
    return typeof said === "string" ? { ok: ok === true, text: said } : null;
  } catch {
    return null;
  }
}
