/**
 * What stands around every page: the head, the way to the other pages, search, theme, help.
 *
 * @module
 */
import { type Html, html, NONE, raw, when } from "./bits.ts";
import type { Drawn, Place } from "./page.ts";

/** What somebody has chosen for himself; kept in cookies. */
export interface Taste {
  theme: "light" | "dark" | "system";
  /** Whether single keys do something. */
  keys: boolean;
}

/** What the last action came to. */
export interface Flash {
  ok: boolean;
  text: string;
}

/** All that a document needs besides its page. */
export interface Frame {
  page: Drawn;
  places: readonly Place[];
  /** The path and query that were asked for. */
  here: string;
  taste: Taste;
  flash: Flash | null;
  to(path: string): string;
  /** With its version behind it, so that browsers may keep it. */
  asset(name: string): string;
  csrf: Html;
  who: string;
  node: string;
  /** ISO, by the database's clock; null when it is away. */
  now: string | null;
  /** What the database said, when what is shown is old. */
  failure: string | null;
}

/** A whole document. */
export function layout(frame: Frame): Html {
  const { page, taste, to, asset, now } = frame;
  const live = page.still || now === null ? NONE : html`
    data-live="${to("/live")}?page=${encodeURIComponent(frame.here)}"
  `;
  return html`
    <!DOCTYPE html>
    <html lang="en" data-theme="${taste.theme}">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>${page.title} · edge-dispatcher</title>
        <link rel="icon" href="${ICON}">
        <link rel="stylesheet" href="${asset("uplot.css")}">
        <link rel="stylesheet" href="${asset("dashboard.css")}">
        <script src="${asset("uplot.js")}" defer></script>
        <script src="${asset("charts.js")}" defer></script>
        <script src="${asset("morph.js")}" defer></script>
        <script src="${asset("dashboard.js")}" defer></script>
      </head>
      <body data-keys="${taste.keys ? "on" : "off"}" data-base="${to("/")}" ${live} data-now="${now ?? ""}">
    <a class="skip" href="#main">Skip to the content</a>
    <header class="bar">
    <a class="brand" href="${to("/")}">edge-dispatcher</a>
    ${search(to)}
    ${freshness(frame)}
    </header>
    <nav aria-label="Pages">${ways(frame)}</nav>
    <main id="main" tabindex="-1">
    <h1>${page.title}</h1>
    ${flash(frame.flash)}${failing(frame)}
    ${page.top ?? NONE}
    ${page.sections.map(({ id, body }) => html`<section id="${id}">${body}</section>`)}
    ${page.bottom ?? NONE}
    </main>
    ${foot(frame)}
    ${helpDialog(frame)}
      </body>
    </html>
  `;
}

/** A dot of the brand, in the page itself: no request for it. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23268bd2'/%3E%3Cpath d='M5 5l4 3-4 3' stroke='white' stroke-width='2' fill='none'/%3E%3C/svg%3E";

function search(to: Frame["to"]): Html {
  return html`
    <form role="search" class="search" action="${to("/envelopes")}">
      <label for="find" class="unseen">Find envelopes by uuid, or by task: queue: state: node: args.x:</label>
      <input id="find" name="q" type="search" placeholder="uuid, or task: queue: state: node: args.x:"
        autocomplete="off" spellcheck="false">
    </form>
  `;
}

/** Without the script: when the page was made. The script says how old what one sees is. */
function freshness({ now, page }: Frame): Html {
  if (now === null) return html`<p class="fresh lost" id="fresh">no database</p>`;
  const time = now.slice(11, 19);
  return html`
    <p class="fresh" id="fresh"
      ${page.still
        ? raw(" data-still")
        : NONE}><span class="dot"></span><span id="fresh-text">as of ${time} UTC</span></p>
    <p class="unseen" role="status" id="said"></p>
  `;
}

function ways({ to, here, places }: Frame): Html {
  const path = here.split("?")[0];
  const isHere = (place: string) =>
    place === "/" ? path === "/" : path === place || path.startsWith(`${place}/`);
  return html`<ul>${
    places.map(([place, label, key]) =>
      html`<li><a href="${to(place)}" data-go="${key}"${
        isHere(place) ? raw(' aria-current="page"') : NONE
      }>${label}</a></li>`
    )
  }</ul>`;
}

function flash(flash: Flash | null): Html {
  return when(
    flash,
    () => html`<p class="flash ${flash!.ok ? "good" : "bad"}" role="status">${flash!.text}</p>`,
  );
}

function failing({ failure }: Frame): Html {
  return when(
    failure,
    () =>
      html`<p class="flash bad" role="alert">The database does not answer, and what you see is old: ${failure}</p>`,
  );
}

function foot({ to, taste, csrf, who, node, here }: Frame): Html {
  const themes = (["system", "light", "dark"] as const).map((theme) =>
    html`
      <button name="theme" value="${theme}" ${taste.theme === theme
        ? raw(' aria-pressed="true"')
        : raw(' aria-pressed="false"')}>${theme}</button>
    `
  );
  return html`
    <footer>
      <p>Served by node <b>${node}</b>; you are <b>${who}</b></p>
      <form method="post" action="${to("/taste")}"
        class="inline taste">${csrf}<input type="hidden" name="back" value="${here}">
    <span role="group" aria-label="Theme" class="group">${themes}</span>
    <button name="keys" value="${taste.keys ? "off" : "on"}">Turn keyboard shortcuts ${taste.keys
      ? "off"
      : "on"}</button></form>
      <p><a href="${to("/help")}" id="help-link">Help and keys</a></p>
    </footer>
  `;
}

/** What the keys do. */
export function keyTable(places: readonly Place[]): Html {
  const keys: [string, string][] = [
    ["/", "Search"],
    ...places.map(([, label, key]): [string, string] => [`g ${key}`, label]),
    ["j k", "Next and previous row; Enter opens it"],
    ["?", "This help"],
    ["Esc", "Close it"],
  ];
  return html`<dl class="keys">${
    keys.map(([key, what]) =>
      html`
        <div>
          <dt>${key.split(" ").map((one) =>
            html`
              <kbd>${one}</kbd>
            `
          )}</dt>
          <dd>${what}</dd>
        </div>
      `
    )
  }</dl>`;
}

function helpDialog({ to, places }: Frame): Html {
  return html`<dialog id="help" aria-labelledby="help-title"><h2 id="help-title">Keys</h2>${keyTable(places)}
<p><a href="${to("/help")}">All help</a>; the keys can be turned off at the bottom of every page.</p>
<form method="dialog"><button>Close</button></form></dialog>`;
}
