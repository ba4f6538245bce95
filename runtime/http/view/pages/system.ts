/**
 * The system: the room that the tables take, and the configuration with where each value comes from.
 *
 * @module
 */
import type { Config } from "../../../config.ts";
import { environmentName } from "../../../config.ts";
import { redact } from "../../../redact.ts";
import type { TableLook } from "../../../store/look.ts";
import { ago, badge, type Html, html, panel, table } from "../bits.ts";
import { bytes, number } from "../format.ts";
import type { Page, PageContext } from "../page.ts";
import { doctorPanel } from "../doctor.ts";

/** Of dead rows more than that, and more than there are live ones, a vacuum should have come. */
const MANY_DEAD = 10_000;
const ACTS = 20;

export const system: Page = {
  path: "/system",
  async draw(context) {
    const { client } = context;
    const [tables, doctor, audits] = await Promise.all([
      client.look.tables(),
      doctorPanel(context),
      client.audits({ limit: ACTS }),
    ]);
    return {
      title: "System",
      sections: [
        { id: "doctor", body: doctor },
        { id: "tables", body: panel("Tables", tableList(context, tables)) },
        { id: "acts", body: panel("What was done last", acts(context, audits)) },
        { id: "configuration", body: panel("Configuration", configuration(context)) },
      ],
    };
  },
};

type Audit = Awaited<ReturnType<PageContext["client"]["audits"]>>[number];

function acts({ now }: PageContext, rows: Audit[]): Html {
  return table({
    caption: "What was done last",
    rows,
    key: ({ id }) => `${id}`,
    empty: "Nobody has done anything yet.",
    columns: [
      { title: "Ago", right: true, cell: ({ at }) => ago(at, now) },
      { title: "Who", cell: ({ who, how }) => html`${who} <span class="dim">${how}</span>` },
      {
        title: "Did",
        cell: ({ action, ok }) =>
          html`${action}${
            ok ? "" : html`
              ${badge("refused", "bad")}
            `
          }`,
      },
      { title: "To", cell: ({ target }) => html`<span class="clip">${target}</span>` },
      { title: "Changed", right: true, cell: ({ count }) => number(count) },
      { title: "Node", wide: true, cell: ({ node }) => node },
    ],
  });
}

function tableList({ now }: PageContext, rows: TableLook[]): Html {
  const sum = rows.reduce((sum, row) => sum + row.bytes + row.index_bytes, 0);
  return html`<p>${bytes(sum)} in all.</p>${
    table({
      caption: "Tables",
      rows,
      key: ({ name }) => name,
      empty: "",
      columns: [
        { title: "Table", cell: ({ name }) => html`<span class="mono">${name}</span>` },
        { title: "Rows", right: true, cell: (row) => `about ${number(row.rows)}` },
        { title: "Dead rows", right: true, cell: (row) => dead(row) },
        { title: "Size", right: true, cell: (row) => bytes(row.bytes) },
        { title: "Indexes", right: true, cell: (row) => bytes(row.index_bytes) },
        { title: "Vacuumed", right: true, wide: true, cell: ({ vacuumed_at }) => ago(vacuumed_at, now) },
      ],
    })
  }`;
}

function dead({ dead, rows }: TableLook): Html | string {
  return dead > MANY_DEAD && dead > rows ? html`${number(dead)} ${badge("many", "warn")}` : number(dead);
}

interface Value {
  path: string;
  value: string;
  origin: string;
}

function configuration({ parts: { config, origins, node } }: PageContext): Html {
  const values: Value[] = Object.keys(origins).sort().map((path) => ({
    path,
    value: shownValue(config, path),
    origin: origins[path] === "environment" ? `environment ${environmentName(path)}` : origins[path],
  }));
  return html`<p>Of this node, <b>${node.name}</b>: ${node.runtime}, version ${node.version}.</p>${
    table({
      caption: "Configuration",
      rows: values,
      key: ({ path }) => path,
      empty: "Nobody told.",
      columns: [
        { title: "Setting", cell: ({ path }) => html`<span class="mono">${path}</span>` },
        { title: "Value", cell: ({ value }) => html`<span class="mono clip">${value}</span>` },
        {
          title: "From",
          cell: ({ origin }) => html`<span class="${origin === "default" ? "dim" : ""}">${origin}</span>`,
        },
      ],
    })
  }`;
}

/** Names of keys and of who comes in, never the secrets. */
function shownValue(config: Config, path: string): string {
  if (path === "encryption_keys") return JSON.stringify(config.encryption_keys.map(({ id }) => id));
  if (path === "http_auth") {
    return JSON.stringify(config.http_auth.map((one) => {
      const who = one.kind === "basic" ? one.user : one.kind === "bearer" ? one.name : one.header;
      return `${one.kind}:${one.role}:${who}`;
    }));
  }
  const value = path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], config);
  return JSON.stringify(redact(value)) ?? "–";
}
