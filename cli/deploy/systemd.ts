/**
 * A systemd unit: told of readiness and life by the node or receiver itself, and allowed little.
 *
 * @module
 */
import { argumentsOf, command, denoFlags, type Plan, stopSeconds } from "./plan.ts";

/** Seconds without a sign of life after which systemd starts it anew. */
const WATCHDOG_SECONDS = 30;

const BINARIES = { deno: "/usr/local/bin/deno", bun: "/usr/local/bin/bun", node: "/usr/bin/node" };

/** What the service may do. No MemoryDenyWriteExecute: engines compile to memory. No ProcSubset: see `processIdentity()`. */
const HARDENING = [
  "NoNewPrivileges=yes",
  "CapabilityBoundingSet=",
  "AmbientCapabilities=",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateTmp=yes",
  "PrivateDevices=yes",
  "ProtectHostname=yes",
  "ProtectClock=yes",
  "ProtectKernelTunables=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelLogs=yes",
  "ProtectControlGroups=yes",
  "ProtectProc=invisible",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  "RemoveIPC=yes",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "SystemCallFilter=~@privileged",
  "SystemCallErrorNumber=EPERM",
  "UMask=0077",
];

const WORDS = {
  node: {
    description: "edge-dispatcher node",
    after: "postgresql.service",
    cache: "edge-dispatcher",
    secrets: "DATABASE_URL and whatever else is secret",
  },
  receiver: {
    description: "edge-dispatcher callback receiver",
    after: "postgresql.service redis.service redis-server.service",
    // Users made for one unit cannot share a directory.
    cache: "edge-dispatcher-receiver",
    secrets: "DATABASE_URL, and CALLBACK_REDIS_URL where events come from Redis",
  },
};

/** Write the unit; `binary` is the runtime's, `user` whom it runs as, a user of its own when not told. */
export function systemdUnit(plan: Plan, { binary, user }: { binary?: string; user?: string } = {}): string {
  const runtime = binary ?? BINARIES[plan.runtime];
  const { description, after, cache, secrets } = WORDS[plan.role];
  const sections: [string, string[]][] = [
    ["Unit", [
      `Description=${description}`,
      "Wants=network-online.target",
      `After=network-online.target ${after}`,
      "# Never given up: what it waits for may come back.",
      "StartLimitIntervalSec=0",
    ]],
    ["Service", [
      ...lifecycle(plan, started(plan, runtime)),
      "",
      ...user === undefined ? ["DynamicUser=yes"] : [`User=${user}`],
      `WorkingDirectory=${plan.dir}`,
      `# ${secrets}; mode 0600, owner root.`,
      "EnvironmentFile=-/etc/edge-dispatcher.env",
      `CacheDirectory=${cache}`,
      `Environment=HOME=%C/${cache} XDG_CACHE_HOME=%C/${cache} DENO_DIR=%C/${cache}/deno`,
      "",
      ...HARDENING,
    ]],
    ["Install", ["WantedBy=multi-user.target"]],
  ];
  return sections.map(([name, lines]) => [`[${name}]`, ...lines].join("\n")).join("\n\n");
}

function lifecycle(plan: Plan, start: string[]): string[] {
  return [
    "Type=notify",
    "# It speaks through systemd-notify, a child of its own.",
    "NotifyAccess=all",
    `WatchdogSec=${WATCHDOG_SECONDS}`,
    `ExecStart=${start.map(quoted).join(" ")}`,
    "Restart=always",
    ...plan.role === "node" ? endOfNode(stopSeconds(plan)) : endOfReceiver(stopSeconds(plan)),
    "LimitNOFILE=65536",
  ];
}

function endOfNode(seconds: number): string[] {
  return [
    "RestartSec=2",
    "# A configuration that is wrong stays wrong.",
    "RestartPreventExitStatus=2 78",
    "# The node decides what becomes of its worker hosts; what is left at the end goes with it.",
    "KillMode=mixed",
    "# Running tasks have shutdown_wait; the rest is for giving back what is unfinished.",
    `TimeoutStopSec=${seconds}`,
    "# A worker host that the kernel ends for its memory is the node's affair.",
    "OOMPolicy=continue",
  ];
}

function endOfReceiver(seconds: number): string[] {
  return [
    "# Exit 78 may mean that no node has made the control plane's tables yet, so only a wrong command is given up.",
    "RestartSec=10",
    "RestartPreventExitStatus=2",
    "KillMode=mixed",
    "# What it holds has shutdown_wait to be written; the rest is for leaving.",
    `TimeoutStopSec=${seconds}`,
  ];
}

function started(plan: Plan, binary: string): string[] {
  const words = [...command(plan, binary), ...argumentsOf(plan)];
  if (plan.runtime !== "deno") return words;
  const plain = denoFlags(plan, binary);
  const flags = denoFlags(plan, binary, ["systemd-notify"]);
  return words.map((word) => plain.includes(word) ? flags[plain.indexOf(word)] : word);
}

/** systemd reads quotes and specifiers. */
function quoted(word: string): string {
  const plain = word.replaceAll("%", "%%");
  return /[\s"'\\;$]/.test(plain) ? JSON.stringify(plain.replaceAll("$", "$$$$")) : plain;
}
