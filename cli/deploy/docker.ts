/**
 * A Dockerfile for each runtime: dependencies in a stage of their own, a user without rights, a health check.
 *
 * @module
 */
import { argumentsOf, command, httpPort, type Plan, RECEIVER_PORT, stopSeconds } from "./plan.ts";

/** Where the project lies in the image. */
export const IMAGE_DIR = "/app";

interface Image {
  base: string;
  binary: string;
  user: string;
  /** Put the dependencies into node_modules. */
  install: string[];
  /** Run an expression. */
  evaluate: string[];
}

const IMAGES: Record<Plan["runtime"], Image> = {
  deno: {
    base: "denoland/deno:2.9.6",
    binary: "/usr/bin/deno",
    user: "deno",
    install: ["COPY package.json deno.json* deno.lock* ./", "RUN deno install --prod"],
    evaluate: ["deno", "eval"],
  },
  bun: {
    base: "oven/bun:1.4.5-slim",
    binary: "/usr/local/bin/bun",
    user: "bun",
    install: ["COPY package.json bun.lock* ./", "RUN bun install --production"],
    evaluate: ["bun", "-e"],
  },
  node: {
    base: "node:24-slim",
    binary: "/usr/local/bin/node",
    user: "node",
    install: ["COPY package.json package-lock.json* ./", "RUN npm install --omit=dev --no-audit --no-fund"],
    evaluate: ["node", "-e"],
  },
};

const WORDS = {
  node: { name: "my-dispatcher", env: "-e DATABASE_URL", end: "The node drains at SIGTERM." },
  receiver: {
    name: "my-receiver",
    env: "-e DATABASE_URL -e CALLBACK_REDIS_URL",
    end: "It writes what it holds at SIGTERM.",
  },
};

/** Write the Dockerfile. */
export function dockerfile(given: Plan): string {
  // In a pod the probes come from outside.
  const everywhere = given.role === "receiver" ? [`0.0.0.0:${RECEIVER_PORT}`] : [];
  const plan = { ...given, dir: IMAGE_DIR, net: given.net && [...given.net, ...everywhere] };
  const image = IMAGES[plan.runtime];
  const { name, env, end } = WORDS[plan.role];
  return [
    "# syntax=docker/dockerfile:1",
    `# Build: docker build -t ${name} .    Keep .git, node_modules and .dispatcher out by a .dockerignore.`,
    `# Run:   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \\`,
    `#          --stop-timeout ${stopSeconds(plan)} ${env} ${name}`,
    `FROM ${image.base} AS dependencies`,
    `WORKDIR ${IMAGE_DIR}`,
    ...image.install,
    "",
    `FROM ${image.base}`,
    `WORKDIR ${IMAGE_DIR}`,
    "# Root's, and so not to be changed by what runs.",
    `COPY --from=dependencies ${IMAGE_DIR}/node_modules ./node_modules`,
    "COPY . .",
    `ENV HOME=/tmp XDG_CACHE_HOME=/tmp/.cache${plan.runtime === "deno" ? " DENO_DIR=/tmp/deno" : ""}`,
    `USER ${image.user}`,
    `# ${end}`,
    "STOPSIGNAL SIGTERM",
    ...healthCheck(plan, image),
    `ENTRYPOINT ${JSON.stringify(command(plan, image.binary))}`,
    ...plan.role === "receiver" ? [`CMD ${JSON.stringify(argumentsOf(plan))}`] : [],
  ].join("\n");
}

function healthCheck(plan: Plan, { evaluate }: Image): string[] {
  const port = httpPort(plan);
  if (port === undefined) return ["HEALTHCHECK NONE"];
  const ask = `fetch("http://127.0.0.1:${port}/livez")` +
    ".then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))";
  return [
    "HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \\",
    `  CMD ${JSON.stringify([...evaluate, ask])}`,
  ];
}
