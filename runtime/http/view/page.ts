/**
 * What a page is: something that is drawn whole for a browser, and again, section by section, for those who watch.
 *
 * @module
 */
import type { Client } from "../../client.ts";
import type { Snapshot } from "../sampler.ts";
import type { HttpParts } from "../parts.ts";
import type { Html } from "./bits.ts";

/** Where the way at the top of every page leads. The key is what `g` and it open. */
export type Place = readonly [path: string, label: string, key: string];

/** What a page is drawn from. It must not depend on who looks but for what is in here: watchers share a drawing. */
export interface PageContext {
  parts: HttpParts;
  client: Client;
  snapshot: Snapshot;
  /** ISO, by the database's clock. */
  now: string;
  params: Record<string, string>;
  query: URLSearchParams;
  /** The path and query of the page itself, to come back to. */
  here: string;
  /** A path with the base before it. */
  to(path: string): string;
  places: readonly Place[];
  /** Whether whoever looks may act: others see no buttons. */
  mayAct: boolean;
  /** The hidden field of forms. */
  csrf: Html;
}

/** A part of a page that is sent again when it changes. */
export interface Section {
  id: string;
  body: Html;
}

/** A page as it was drawn. */
export interface Drawn {
  title: string;
  /** Stands above the sections and is not sent again. */
  top?: Html;
  sections: Section[];
  /** Stands below them. */
  bottom?: Html;
  status?: 200 | 404;
  /** Nothing to watch. */
  still?: boolean;
}

/** A page. */
export interface Page {
  /** As routes are written. */
  path: string;
  draw(context: PageContext): Promise<Drawn>;
}
