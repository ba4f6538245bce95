// @runtimes deno
/** Taking from Redis without loss, against a real one. */
import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { openRedis, type RedisSource } from "../../../runtime/receiver/redis_source.ts";
import { eventually, needs, test, type TestContext } from "../../harness.ts";
import { TcpProxy } from "../../harness/tcp_proxy.ts";
import { ownRedis } from "./rig.ts";

const KEY = "events";
const NEVER = new AbortController().signal;
const skip = needs("redis-server");

async function sourceAt(t: TestContext, url: string): Promise<RedisSource> {
  const source = await openRedis({ url, key: KEY, run: () => Promise.resolve([]) });
  t.after(() => source.close());
  await source.tend();
  return source;
}

const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}`);

/** The keys that are left, but for leases. */
const keysOf = async (redis: Redis) =>
  (await redis.keys("*")).filter((key) => !key.includes(":receiver:")).sort();

test("take() holds a batch for one of several, and what is done is gone", { skip }, async (t) => {
  const server = await ownRedis(t);
  const redis = server.client(t);
  const [one, two] = [await sourceAt(t, server.url), await sourceAt(t, server.url)];
  await redis.rpush(KEY, ...lines(0, 2_000), '{"event":"FLUSH"}');
  const claims = await Promise.all([one.take(NEVER), two.take(NEVER)]);
  const texts = claims.flatMap((claim) => claim!.texts);
  assert.equal(texts.length, 2_000);
  assert.equal(new Set(texts).size, 2_000);
  assert.equal(await one.tend() + await two.tend(), 0, "nobody is robbed who lives");
  for (const claim of claims) await claim!.done();
  await claims[0]!.done();
  assert.deepEqual(await keysOf(redis), [KEY]);
  const rest = await one.take(NEVER);
  assert.deepEqual(rest!.texts, ['{"event":"FLUSH"}']);
  await rest!.release();
  assert.equal(await one.size(), 1);
});

test("take() waits for more for half a second, and not at all when an event says so", { skip }, async (t) => {
  const server = await ownRedis(t);
  const redis = server.client(t);
  const source = await sourceAt(t, server.url);
  const taken = source.take(NEVER).then(async (none) => none ?? await source.take(NEVER));
  await redis.rpush(KEY, "1");
  await redis.rpush(KEY, "2");
  assert.deepEqual((await taken)!.texts, ["1", "2"]);
  await redis.rpush(KEY, "3", '{"event":"EOF","job_id":1,"final_counter":1}');
  const begun = performance.now();
  assert.equal((await source.take(NEVER))!.texts.length, 2);
  assert.ok(performance.now() - begun < 400, "an end is not waited behind");
});

test("take() holds few large events at once, and one that is too large alone", { skip }, async (t) => {
  const server = await ownRedis(t);
  const redis = server.client(t);
  const source = await sourceAt(t, server.url);
  const large = "x".repeat(3 * 1024 * 1024);
  await redis.rpush(KEY, large, large, large, large.repeat(4), "small");
  const sizes: number[] = [];
  while (await source.size() > 0) {
    const claim = (await source.take(NEVER))!;
    sizes.push(claim.texts.length);
    await claim.done();
  }
  assert.deepEqual(sizes, [2, 1, 1, 1]);
});

test(
  "tend() gives back what a dead one held, in its order, and what it holds itself not",
  { skip },
  async (t) => {
    const server = await ownRedis(t);
    const redis = server.client(t);
    const [dead, living] = [await sourceAt(t, server.url), await sourceAt(t, server.url)];
    await redis.rpush(KEY, ...lines(0, 1_500), '{"event":"FLUSH"}');
    await dead.take(NEVER);
    await redis.rpush(KEY, ...lines(1_500, 1_600));
    // Its lease has ended, as after it was killed on another machine.
    const leases = await redis.keys(`${KEY}:receiver:*`);
    assert.equal(leases.length, 2);
    await redis.del(...leases);
    assert.equal(await living.tend(), 1_000);
    const all = await redis.lrange(KEY, 0, -1);
    assert.deepEqual(all.filter((text) => text !== '{"event":"FLUSH"}'), lines(0, 1_600));
    assert.deepEqual(await keysOf(redis), [KEY]);
  },
);

test(
  "an answer that is lost is not an event that is lost: the next take gives the same",
  { skip },
  async (t) => {
    const server = await ownRedis(t);
    const redis = server.client(t);
    const proxy = await TcpProxy.before(t, server.url);
    const source = await sourceAt(t, proxy.url);
    await redis.rpush(KEY, ...lines(0, 10), '{"event":"FLUSH"}');
    // What is sent gets through, what is answered does not.
    proxy.delay(200);
    const lost = source.take(NEVER);
    lost.catch(() => {});
    await eventually(async () => assert.equal(await redis.llen(KEY), 0), { every: 2 });
    proxy.drop();
    proxy.delay(0);
    await assert.rejects(lost);
    assert.equal(await redis.llen(KEY), 0, "it was taken");
    const claim = await eventually(() => source.take(NEVER).catch(() => undefined));
    assert.deepEqual(claim!.texts.slice(0, 10), lines(0, 10));
    await claim!.done();
    assert.deepEqual(await keysOf(redis), []);
  },
);

test("openRedis() says where it could not connect and why, without the password", { skip }, async (t) => {
  const run = () => Promise.resolve([]);
  await assert.rejects(openRedis({ url: "redis://:hunter2@127.0.0.1:1/3", key: KEY, run }), {
    code: "unavailable",
    message: "Cannot connect to Redis at 127.0.0.1:1/3: connect ECONNREFUSED 127.0.0.1:1",
  });
  const server = await ownRedis(t);
  await server.client(t).config("SET", "requirepass", "right");
  const wrong = openRedis({ url: server.url.replace("redis://", "redis://:hunter2@"), key: KEY, run });
  await assert.rejects(wrong, (error: Error & { code: string }) => {
    assert.equal(error.code, "config");
    assert.match(error.message, /^Cannot connect to Redis at 127\.0\.0\.1:\d+\/0: WRONGPASS /);
    return true;
  });
});
