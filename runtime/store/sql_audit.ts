/**
 * The record of what was done over HTTP.
 *
 * @module
 */

/** Keep records. */
export const AUDIT = `
insert into dispatcher.audit (who, how, address, node, action, target, count, ok, detail)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::boolean[],
  $9::json[])`;

/** Records, the latest first. Index: primary key. */
export const AUDITS = `
select id::float8 id, at, who, how, address, node, action, target, count, ok, detail from dispatcher.audit
where ($1::text is null or action = $1) and ($2::text is null or who = $2) and ($3::float8 is null or id < $3::bigint)
order by dispatcher.audit.id desc limit $4`;
