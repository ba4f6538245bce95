/**
 * A collector of OTLP over HTTP in JSON, for as long as a test runs.
 *
 * @module
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import type { TestContext } from "../harness.ts";

/** A span as it arrived, with its attributes in one object. */
export interface Span {
  name: string;
  /** As OTLP numbers them: 3 client, 4 producer, 5 consumer. */
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  start: number;
  end: number;
  attributes: Record<string, unknown>;
  resource: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
  /** 0 unset, 2 error. */
  status: { code: number; message: string };
}

export interface Collector {
  /** What OTEL_EXPORTER_OTLP_ENDPOINT is. */
  readonly endpoint: string;
  readonly spans: Span[];
  /** Header sets of the requests. */
  readonly headers: IncomingMessage["headers"][];
  named(name: string): Span[];
}

/** Listen on a port of its own. */
export async function collector(t: TestContext): Promise<Collector> {
  const spans: Span[] = [];
  const headers: IncomingMessage["headers"][] = [];
  const server = createServer((request, response) => {
    const pieces: Uint8Array[] = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces);
      headers.push(request.headers);
      const text = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
      spans.push(...spansOf(JSON.parse(text.toString())));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const named = (name: string) => spans.filter((span) => span.name === name);
  return { endpoint: `http://127.0.0.1:${port}`, spans, headers, named };
}

type Attributes = { key: string; value: Record<string, unknown> }[];

interface Export {
  resourceSpans: {
    resource: { attributes: Attributes };
    scopeSpans: { spans: Record<string, unknown>[] }[];
  }[];
}

function spansOf({ resourceSpans }: Export): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) =>
        ({
          ...span,
          parentSpanId: span.parentSpanId ?? "",
          start: Number(BigInt(span.startTimeUnixNano as string) / 1_000_000n),
          end: Number(BigInt(span.endTimeUnixNano as string) / 1_000_000n),
          attributes: valuesOf(span.attributes as Attributes),
          resource: valuesOf(resource.attributes),
          links: span.links ?? [],
          status: { code: 0, message: "", ...(span.status as object) },
        }) as unknown as Span
      )
    )
  );
}

function valuesOf(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => {
    const [kind, inner] = Object.entries(value)[0];
    return [key, kind === "intValue" ? Number(inner) : inner];
  }));
}
