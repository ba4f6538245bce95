/**
 * All pages, actions and ways between them: those of the dashboard, and those that an extension adds.
 *
 * @module
 */
import type { Deed } from "./actions/action.ts";
import { DEEDS } from "./actions/all.ts";
import type { Page, Place } from "./page.ts";
import { PAGES } from "./pages/all.ts";

/** Actions by what they are done to, and how: `POST /act/THING/VERB`. */
export type Deeds = Readonly<Record<string, Readonly<Record<string, Deed>>>>;

/** What an extension adds to the dashboard. */
export interface Chapter {
  pages: readonly Page[];
  deeds?: Deeds;
  /** Behind those that are always there; a key must be one letter that none of them has. */
  places?: readonly Place[];
}

const PLACES: readonly Place[] = [
  ["/", "Overview", "o"],
  ["/envelopes", "Envelopes", "e"],
  ["/queues", "Queues", "q"],
  ["/nodes", "Nodes", "n"],
  ["/schedules", "Schedules", "s"],
  ["/failures", "Failures", "f"],
  ["/receivers", "Receivers", "r"],
  ["/system", "System", "y"],
];

/** The dashboard's, with those of a chapter. */
export class Book {
  readonly pages: readonly Page[];
  readonly places: readonly Place[];
  readonly #deeds: Deeds;
  readonly #ways: { page: Page; pattern: RegExp }[];

  constructor(chapter: Chapter = { pages: [] }) {
    this.pages = [...PAGES, ...chapter.pages];
    this.places = [...PLACES, ...chapter.places ?? []];
    this.#deeds = { ...chapter.deeds, ...DEEDS };
    this.#ways = this.pages.map((page) => ({ page, pattern: patternOf(page.path) }));
  }

  /** The page at a path, and what stands in the place of its names. */
  pageAt(path: string): { page: Page; params: Record<string, string> } | undefined {
    for (const { page, pattern } of this.#ways) {
      const found = pattern.exec(path);
      if (!found) continue;
      const params = Object.entries(found.groups ?? {}).map(([name, text]) => [name, decoded(text)]);
      return { page, params: Object.fromEntries(params) };
    }
  }

  /** The action of this name; undefined when there is none. */
  deedOf(thing: string, verb: string): Deed | undefined {
    if (!Object.hasOwn(this.#deeds, thing) || !Object.hasOwn(this.#deeds[thing], verb)) return undefined;
    return this.#deeds[thing][verb];
  }
}

/** `/envelopes/:uuid` as an expression. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // As it came: no page finds anything by it.
    return text;
  }
}
