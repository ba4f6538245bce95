// @runtimes node
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { DockerfileParser } from "dockerfile-ast";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import { TriggerAuthentication } from "@kubernetes-models/keda/keda.sh/v1alpha1/TriggerAuthentication";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { Secret } from "kubernetes-models/v1/Secret";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import postgres from "postgres";
import { parseAllDocuments } from "yaml";
import { run } from "../../cli/main.ts";
import { oldestAgeQuery } from "../../cli/deploy/kubernetes.ts";
import { connect } from "../../mod.ts";
import { receiverDatabase, startedReceiver } from "../awx/receiver/rig.ts";
import { fakeIO } from "../cli/fake_io.ts";
import { database, needs, tempDir, test } from "../harness.ts";

const RUNTIMES = ["deno", "bun", "node"];
/** What is deployed, and the flag for it. */
const ROLES: [role: string, flags: string[]][] = [["node", []], ["receiver", ["--receiver"]]];

/** What a deploy command prints, with this file as configuration. */
async function deploy(words: string[], config: Record<string, unknown> = {}): Promise<string> {
  const io = fakeIO();
  const file = join(tempDir(), "dispatcher.json");
  writeFileSync(file, JSON.stringify({ database_url: "postgres://me:secret@db.example/app", ...config }));
  const code = await run(["deploy", ...words, "--config", file], io);
  assert.equal(code, 0, io.errLines.join("\n"));
  return io.outLines.join("\n");
}

/** The value of a setting of a unit. */
const valueIn = (unit: string, key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1];

for (const [runtime, [role, flags]] of RUNTIMES.flatMap((one) => ROLES.map((role) => [one, role] as const))) {
  test(`systemd finds nothing wrong with the unit of a ${role} for ${runtime}, and little that it exposes`, {
    skip: needs("systemd-analyze"),
  }, async () => {
    const dir = tempDir();
    const binary = join(dir, runtime);
    // systemd looks for the program.
    writeFileSync(binary, "#!/bin/sh\n");
    chmodSync(binary, 0o755);
    const words = ["systemd", ...flags, "--runtime", runtime, "--dir", dir, "--binary", binary];
    const unit = await deploy(words);
    assert.equal(valueIn(unit, "Type"), "notify");
    const command = role === "node" ? "dispatcher" : "dispatcher callback-receiver --http 127.0.0.1:8071";
    assert.ok(valueIn(unit, "ExecStart")!.endsWith(`/cli/launcher.mjs ${command}`), unit);
    const path = join(dir, "edge-dispatcher.service");
    writeFileSync(path, unit + "\n");
    const verified = spawnSync("systemd-analyze", ["verify", path], { encoding: "utf8" });
    assert.deepEqual([verified.status, verified.stdout + verified.stderr], [0, ""]);
    const security = spawnSync("systemd-analyze", ["security", "--offline=true", path], { encoding: "utf8" });
    const [, exposure] = /exposure level for .*: ([\d.]+)/.exec(security.stdout) ?? [];
    assert.ok(Number(exposure) < 2.5, security.stdout + security.stderr);
  });
}

test("a supervisor waits longer than a node lets its tasks finish, and than a receiver may write", async () => {
  const config = { shutdown_wait: 100 };
  for (const [, flags] of ROLES) {
    assert.equal(valueIn(await deploy(["systemd", ...flags], config), "TimeoutStopSec"), "115");
    assert.match(await deploy(["docker", ...flags], config), /--stop-timeout 115 /);
    const manifests = await deploy(["kubernetes", "--image", "x", ...flags], config);
    assert.match(manifests, /terminationGracePeriodSeconds: 115$/m);
  }
});

test("the unit of a receiver is as hard as that of a node, and shares no directory with it", async () => {
  const units = await Promise.all(ROLES.map(([, flags]) => deploy(["systemd", ...flags])));
  const [node, receiver] = units.map((unit) =>
    unit.slice(unit.indexOf("NoNewPrivileges"), unit.indexOf("[Install]"))
  );
  assert.ok(node.split("\n").length > 20, node);
  assert.equal(receiver, node);
  assert.deepEqual(units.map((unit) => valueIn(unit, "CacheDirectory")), [
    "edge-dispatcher",
    "edge-dispatcher-receiver",
  ]);
  // A receiver may be there before the first node has made the tables, and exits with 78 then.
  assert.deepEqual(units.map((unit) => valueIn(unit, "RestartPreventExitStatus")), ["2 78", "2"]);
});

test("Deno may reach what is named, and where it listens, whoever names it", async (t) => {
  const { CALLBACK_REDIS_URL } = process.env;
  t.after(() => {
    if (CALLBACK_REDIS_URL === undefined) delete process.env.CALLBACK_REDIS_URL;
    else process.env.CALLBACK_REDIS_URL = CALLBACK_REDIS_URL;
  });
  process.env.CALLBACK_REDIS_URL = "redis://:secret@redis.example/0";
  const reach = async (...words: string[]) =>
    /--allow-net=([^ "]+)/.exec(await deploy([...words, "--runtime", "deno"]))![1];
  assert.equal(await reach("systemd"), "db.example:5432,127.0.0.1:8070");
  assert.equal(await reach("systemd", "--net", "db:1"), "db:1,127.0.0.1:8070");
  const there = "db.example:5432,redis.example:6379,127.0.0.1:8071";
  assert.equal(await reach("systemd", "--receiver"), there);
  assert.equal(await reach("docker", "--receiver"), `${there},0.0.0.0:8071`);
  process.env.CALLBACK_REDIS_URL = "redis";
  const io = fakeIO();
  const words = ["deploy", "systemd", "--receiver", "--database-url", "postgres://db.example/app"];
  assert.deepEqual([await run(words, io), io.errLines], [
    2,
    ["Cannot use CALLBACK_REDIS_URL: it must look like redis://host:6379/0"],
  ]);
});

test("a unit passes on a path with a space, and tells secrets to nobody", async () => {
  const unit = await deploy(["systemd", "--dir", "/srv/my app"]);
  assert.match(
    unit,
    /^ExecStart=\/usr\/bin\/node "\/srv\/my app\/node_modules\/.*launcher\.mjs" dispatcher$/m,
  );
  for (
    const words of [["systemd", "--runtime", "deno"], ["docker", "--runtime", "deno"], [
      "kubernetes",
      "--image",
      "x",
    ]]
  ) {
    assert.ok(!(await deploy(words)).includes("secret@"));
  }
});

for (const [runtime, [role, flags]] of RUNTIMES.flatMap((one) => ROLES.map((role) => [one, role] as const))) {
  test(`the Dockerfile of a ${role} for ${runtime} runs as a user without rights, with a health check and no shell`, async () => {
    const parsed = DockerfileParser.parse(await deploy(["docker", "--runtime", runtime, ...flags]));
    const names = parsed.getInstructions().map((one) => one.getKeyword());
    const known = [
      "FROM",
      "WORKDIR",
      "COPY",
      "RUN",
      "ENV",
      "USER",
      "STOPSIGNAL",
      "HEALTHCHECK",
      "ENTRYPOINT",
      ...role === "receiver" ? ["CMD"] : [],
    ];
    assert.deepEqual(names.filter((name) => !known.includes(name)), []);
    const last = (name: string) => parsed.getInstructions().findLast((one) => one.getKeyword() === name)!;
    assert.equal(last("USER").getArgumentsContent(), runtime);
    assert.ok(names.lastIndexOf("USER") > names.lastIndexOf("COPY"));
    const entry = JSON.parse(last("ENTRYPOINT").getArgumentsContent()!);
    assert.equal(entry.at(-1), "dispatcher");
    assert.ok(!entry.includes("-A"));
    const check = /CMD (\[.*\])$/s.exec(last("HEALTHCHECK").getArgumentsContent()!)!;
    const port = role === "node" ? 8070 : 8071;
    assert.ok(JSON.parse(check[1]).at(-1).includes(`127.0.0.1:${port}/livez`));
    if (role === "receiver") {
      const words = JSON.parse(last("CMD").getArgumentsContent()!);
      assert.deepEqual(words, ["callback-receiver", "--http", "127.0.0.1:8071"]);
    }
    assert.equal(parsed.getFROMs().length, 2);
  });
}

test("the health check of an image is true of a server that is well, and of no other", async (t) => {
  const check = /CMD (\[.*\])$/m.exec(await deploy(["docker"], { http: "127.0.0.1:8070" }))!;
  let status = 200;
  const server = createServer((_, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const [, flag, code] = JSON.parse(check[1]) as string[];
  const asks = async () => {
    const child = spawn(process.execPath, [flag, code.replace("8070", `${port}`)], { stdio: "ignore" });
    return await new Promise((resolve) => child.once("exit", resolve));
  };
  assert.equal(await asks(), 0);
  status = 503;
  assert.equal(await asks(), 1);
});

const KINDS = {
  Deployment,
  PodDisruptionBudget,
  Secret,
  Service,
  ServiceAccount,
  ScaledObject,
  TriggerAuthentication,
};

test("the manifests keep to the schemas of Kubernetes and KEDA", async () => {
  const text = await deploy(["kubernetes", "--image", "registry.example/app:1", "--namespace", "work"], {
    queues: ["default", "it's"],
  });
  const documents = parseAllDocuments(text).map((one) => one.toJS());
  assert.deepEqual(documents.map(({ kind }) => kind).sort(), Object.keys(KINDS).sort());
  for (const document of documents) {
    const Kind = KINDS[document.kind as keyof typeof KINDS] as new (given: unknown) => { validate(): void };
    new Kind(document).validate();
    assert.equal(document.metadata.namespace, "work");
  }
  const deployment = documents.find(({ kind }) => kind === "Deployment");
  const [container] = deployment.spec.template.spec.containers;
  assert.equal(container.readinessProbe.httpGet.path, "/readyz");
  assert.equal(container.livenessProbe.httpGet.path, "/livez");
  // Whoever scales owns the number of replicas.
  assert.ok(!("replicas" in deployment.spec));
  // The schemas are no rubber stamp.
  assert.throws(() => new Deployment({ ...deployment, spec: { replicas: "many" } } as never).validate());
});

test("the manifests of receivers keep to the schemas, and are as many as asked for", async () => {
  const words = [
    "kubernetes",
    "--receiver",
    "--image",
    "registry.example/app:1",
    "--namespace",
    "work",
    "--min",
    "3",
  ];
  const documents = parseAllDocuments(await deploy(words)).map((one) => one.toJS());
  const kinds = ["Deployment", "PodDisruptionBudget", "Secret", "Service", "ServiceAccount"];
  assert.deepEqual(documents.map(({ kind }) => kind).sort(), kinds);
  for (const document of documents) {
    const Kind = KINDS[document.kind as keyof typeof KINDS] as new (given: unknown) => { validate(): void };
    new Kind(document).validate();
    const { name, namespace } = document.metadata;
    assert.deepEqual([name, namespace], ["edge-dispatcher-receiver", "work"]);
  }
  const { spec } = documents.find(({ kind }) => kind === "Deployment");
  assert.equal(spec.replicas, 3);
  const pod = ({ spec: { containers: [one], securityContext } }: typeof spec.template) => [
    securityContext,
    one.securityContext,
    one.readinessProbe,
  ];
  const nodes = parseAllDocuments(await deploy(["kubernetes", "--image", "x"])).map((one) => one.toJS());
  assert.deepEqual(pod(spec.template), pod(nodes.find(({ kind }) => kind === "Deployment").spec.template));
});

test("arguments and environment of the manifests start a receiver that is probed without credentials", async (t) => {
  const documents = parseAllDocuments(await deploy(["kubernetes", "--receiver", "--image", "x"]));
  const [secret, , deployment] = documents.map((one) => one.toJS());
  const [{ args, env }] = deployment.spec.template.spec.containers;
  const given = env.map(({ name, value }: { name: string; value: string }) => [name, value]);
  const { url } = await receiverDatabase(t);
  const [first, ...rest] = args.map((word: string) => word.replace(":8071", ":0"));
  assert.equal(first, "callback-receiver");
  const receiver = await startedReceiver(t, [...rest, "--log-format", "text"], {
    ...secret.stringData,
    ...Object.fromEntries(given),
    DATABASE_URL: url,
  });
  const http = `http://127.0.0.1:${receiver.facts.http.split(":").at(-1)}`;
  const status = async (path: string) => (await fetch(`${http}${path}`)).status;
  assert.deepEqual(await Promise.all(["/livez", "/readyz", "/metrics"].map(status)), [200, 200, 401]);
  assert.equal((await receiver.stop()).code, 0);
});

test("the environment of the manifests is one that a node takes", async () => {
  const { loadConfig } = await import("../../runtime/config.ts");
  const documents = parseAllDocuments(await deploy(["kubernetes", "--image", "x"])).map((one) => one.toJS());
  const [container] = documents.find(({ kind }) => kind === "Deployment").spec.template.spec.containers;
  const given = container.env.map(({ name, value }: { name: string; value: string }) => [name, value]);
  const env = { ...Object.fromEntries(given), ...documents[0].stringData };
  const { config } = await loadConfig({ env });
  assert.deepEqual([config.http, config.shutdown_wait, config.http_auth.length], ["0.0.0.0:8070", 25, 1]);
});

test("KEDA's question is the age of the oldest envelope that waits in the queues of the nodes", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const client = await connect({ databaseUrl: db.url });
  t.after(() => client.close());
  const sql = postgres(db.url, { max: 1 });
  t.after(() => sql.end());
  const age = async () => Number((await sql.unsafe(oldestAgeQuery(["default", "it's"])).values())[0][0]);
  assert.equal(await age(), 0);
  await client.publish("a", [], { queue: "it's" });
  await client.publish("b", [], { queue: "other" });
  await client.publish("c", [], { delay: 60 });
  await sql`update dispatcher.envelope set created_at = created_at - interval '1 hour' where task <> 'a'`;
  const found = await age();
  assert.ok(found > 0 && found < 60, `${found}`);
  await sql`update dispatcher.envelope set created_at = created_at - interval '90 seconds' where task = 'a'`;
  assert.ok(await age() >= 90);
});

test("deploy refuses what it cannot write", async () => {
  const refused = async (...words: string[]) => {
    const io = fakeIO();
    return [await run(["deploy", ...words], io), io.errLines.join()];
  };
  assert.deepEqual(await refused("docker", "--runtime", "dino"), [
    2,
    'Unknown runtime "dino" (did you mean "deno"?)',
  ]);
  assert.deepEqual(await refused("kubernetes", "--receiver", "--image", "x", "--max", "2"), [
    2,
    "Cannot use --max together with --receiver: they are not scaled",
  ]);
  assert.deepEqual(await refused("kubernetes"), [2, "Cannot write manifests without --image"]);
  assert.deepEqual(await refused("kubernetes", "--image", "x", "--min", "5", "--max", "2"), [
    2,
    "Cannot scale from 5 to 2 nodes at 10 s",
  ]);
});
