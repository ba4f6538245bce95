/**
 * What attempts print and say, on PostgreSQL.
 *
 * @module
 */
import { arrayLiteral } from "./connection.ts";
import type { LogFilter, LogLine, NewLine } from "./log.ts";
import type { Param, Row } from "./statements.ts";

type Run = (text: string, params: Param[]) => Promise<Row[]>;

/** By the database's clock, as all times are. Index: primary key. */
export const WRITE_LOG = `
insert into dispatcher.log (uuid, fence, seq, attempt, node, at, level, text)
select uuid, fence, seq, attempt, $5, clock_timestamp() - age * interval '1 millisecond', level, text
from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $6::float8[], $7::text[], $8::text[])
  u (uuid, fence, seq, attempt, age, level, text)
on conflict do nothing`;

/** Index: primary key. */
export const READ_LOG = `
select uuid::text, fence, seq, attempt, node, at, level, text from dispatcher.log
where uuid = $1::uuid and ($2::int is null or (fence, seq) > ($2, $3)) and ($4::int is null or attempt = $4)
order by fence, seq limit $5`;

/** Keep lines. */
export async function writeLog(run: Run, node: string, lines: NewLine[]): Promise<void> {
  await run(WRITE_LOG, [
    arrayLiteral(lines.map((x) => x.uuid)),
    arrayLiteral(lines.map((x) => x.fence)),
    arrayLiteral(lines.map((x) => x.seq)),
    arrayLiteral(lines.map((x) => x.attempt)),
    node,
    arrayLiteral(lines.map((x) => x.age)),
    arrayLiteral(lines.map((x) => x.level)),
    // A text of PostgreSQL's has no NUL.
    arrayLiteral(lines.map((x) => x.text.replaceAll("\u0000", "\\u0000"))),
  ]);
}

/** Read lines. */
export function readLog(run: Run, uuid: string, { attempt, after, limit }: LogFilter): Promise<LogLine[]> {
  return run(READ_LOG, [uuid, after?.fence ?? null, after?.seq ?? null, attempt ?? null, limit]);
}
