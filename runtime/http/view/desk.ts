/**
 * Draws pages: whole ones, and the sections of those that are watched.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { HTTPException } from "hono/http-exception";
import { CSRF_FIELD } from "../csrf.ts";
import { type Drawing, eventText, type Watched } from "../live.ts";
import type { HttpParts } from "../parts.ts";
import type { Sampler } from "../sampler.ts";
import { type Html, html } from "./bits.ts";
import type { Book } from "./book.ts";
import { type Frame, layout } from "./layout.ts";
import type { Drawn } from "./page.ts";

/** Draws for one node. */
export class Desk {
  readonly #parts: HttpParts;
  readonly #book: Book;
  readonly #sampler: Sampler;
  /** Stands for the token of whoever gets a drawing that many share; nobody can guess it into a page. */
  readonly #placeholder: string = randomBytes(18).toString("base64url");

  constructor(parts: HttpParts, book: Book, sampler: Sampler) {
    this.#parts = parts;
    this.#book = book;
    this.#sampler = sampler;
  }

  /** A path with the base before it. */
  to(path: string): string {
    const { http_base_path: base } = this.#parts.config;
    return base === "/" ? path : `${base}${path}`;
  }

  /** A path without it. */
  inside(path: string): string {
    const { http_base_path: base } = this.#parts.config;
    return base !== "/" && path.startsWith(base) ? path.slice(base.length) || "/" : path;
  }

  csrfField(token: string): Html {
    return html`<input type="hidden" name="${CSRF_FIELD}" value="${token}">`;
  }

  /** Draw the page at a path. */
  async draw(here: string, mayAct: boolean, csrf: Html): Promise<Drawn> {
    const [path, search = ""] = here.split("?");
    const found = this.#book.pageAt(path);
    if (!found) throw new HTTPException(404, { message: `Cannot show "${path}": no such page` });
    const [snapshot, client] = await Promise.all([this.#sampler.look(), this.#parts.client()]);
    return await found.page.draw({
      parts: this.#parts,
      client,
      places: this.#book.places,
      snapshot,
      now: snapshot.now,
      params: found.params,
      query: new URLSearchParams(search),
      here,
      to: (path) => this.to(path),
      mayAct,
      csrf,
    });
  }

  /** A page with all that stands around it. */
  document(
    page: Drawn,
    frame: Omit<Frame, "page" | "to" | "node" | "now" | "failure" | "places">,
  ): Html {
    const { last, failure } = this.#sampler;
    const around = {
      places: this.#book.places,
      node: this.#parts.node.name,
      now: last?.now ?? null,
      failure: last ? failure : null,
    };
    return layout({ ...frame, ...around, page, to: (path) => this.to(path) });
  }

  /** The sections of a page, for all who may do the same. */
  watched(here: string, mayAct: boolean, token: string): Watched {
    return {
      key: `page ${mayAct} ${here}`,
      draw: async () => {
        const { sections } = await this.draw(here, mayAct, this.csrfField(this.#placeholder));
        const drawn = sections.map(async (
          { id, body },
        ): Promise<[string, string]> => [id, String(await body)]);
        return new Map(await Promise.all(drawn));
      },
      event: (changed: Drawing, about) =>
        eventText("page", { ...about, sections: Object.fromEntries(changed) }),
      personal: (text) => text.replaceAll(this.#placeholder, token),
    };
  }
}
