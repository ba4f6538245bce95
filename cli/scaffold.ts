/**
 * The files of a new project.
 *
 * @module
 */
import { VERSION } from "../runtime/version.ts";

const LAUNCHER = "node_modules/edge-dispatcher/cli/launcher.mjs";
/** For work at a desk, with the embedded database; `deploy` prints what a node needs that has one of its own. */
const DENO =
  "deno run --no-prompt --allow-env --allow-net --allow-read --allow-write --allow-run --allow-sys";

const TASK = `import { task } from "edge-dispatcher";

/** Published as \`hello\`, which is its path below tasks/. */
export default task({ timeout: 30 }, (name: string) => \`Hello, \${name}!\`);
`;

const README = (name: string) =>
  `# ${name}

Tasks for [edge-dispatcher](https://www.npmjs.com/package/edge-dispatcher): each file below \`tasks/\` is one.

| | install | start a node | publish |
|---|---|---|---|
| Node | \`npm install\` | \`npm run dispatcher\` | \`npm run cli -- publish hello '"world"' --wait\` |
| Bun | \`bun install\` | \`bun run dispatcher\` | \`bun run cli publish hello '"world"' --wait\` |
| Deno | \`deno install\` | \`deno task dispatcher\` | \`deno task cli publish hello '"world"' --wait\` |

Without \`DATABASE_URL\` a node starts a PostgreSQL of its own in \`.dispatcher/\`. For a server: \`cli deploy systemd\`,
\`cli deploy docker\`, \`cli deploy kubernetes\`.
`;

/** Path and content of each file; \`source\` is where the package is installed from, by default the registry. */
export function scaffold(name: string, source: string = `^${VERSION}`): Record<string, string> {
  const json = (value: unknown) => JSON.stringify(value, null, 2) + "\n";
  return {
    "package.json": json({
      name,
      private: true,
      type: "module",
      scripts: { dispatcher: "dispatcherctl dispatcher", cli: "dispatcherctl" },
      dependencies: { "edge-dispatcher": source },
    }),
    "deno.json": json({
      nodeModulesDir: "manual",
      tasks: { dispatcher: `${DENO} ${LAUNCHER} dispatcher`, cli: `${DENO} ${LAUNCHER}` },
    }),
    "bunfig.toml": "[run]\n# Scripts run on Bun, not on the Node that their first line names.\nbun = true\n",
    "tasks/hello.ts": TASK,
    "README.md": README(name),
    ".gitignore": "node_modules/\n.dispatcher/\n",
    ".dockerignore": ".git\nnode_modules\n.dispatcher\n",
  };
}
