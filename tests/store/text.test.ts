import assert from "node:assert/strict";
import { createServer } from "node:http";
import { rolesSql } from "../../runtime/store/roles.ts";
import { readText } from "../../runtime/store/text.ts";
import { test } from "../harness.ts";

test("readText() reads a file, and over the network where the code came from there", async (t) => {
  const sql = await rolesSql();
  const server = createServer((request, response) =>
    request.url === "/roles.sql" ? response.end(sql) : response.writeHead(404).end()
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  assert.equal(await readText(new URL(`http://127.0.0.1:${port}/roles.sql`)), sql);
  await assert.rejects(
    readText(new URL(`http://127.0.0.1:${port}/other.sql`)),
    /Cannot read "http.*other\.sql": 404/,
  );
  assert.equal(await readText(new URL("../../runtime/store/roles.sql", import.meta.url)), sql);
});
