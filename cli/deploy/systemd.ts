/**
 * A systemd unit: told of readiness and life by the node itself, and allowed little.
 *
 * @module
 */
import { command, denoFlags, type Plan, stopSeconds } from "./plan.ts";

/** Seconds without a sign of life after which systemd starts the node anew. */
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

/** Write the unit; `binary` is the runtime's, `user` whom it runs as, a user of its own when not told. */
export function systemdUnit(plan: Plan, { binary, user }: { binary?: string; user?: string } = {}): string {
  const runtime = binary ?? BINARIES[plan.runtime];
  const sections: [string, string[]][] = [
    ["Unit", [
      "Description=edge-dispatcher node",
      "Wants=network-online.target",
      "After=network-online.target postgresql.service",
      "# Never given up: what it waits for may come back.",
      "StartLimitIntervalSec=0",
    ]],
    ["Service", [
      ...lifecycle(plan, started(plan, runtime)),
      "",
      ...user === undefined ? ["DynamicUser=yes"] : [`User=${user}`],
      `WorkingDirectory=${plan.dir}`,
      "# DATABASE_URL and whatever else is secret; mode 0600, owner root.",
      "EnvironmentFile=-/etc/edge-dispatcher.env",
      "CacheDirectory=edge-dispatcher",
      "Environment=HOME=%C/edge-dispatcher XDG_CACHE_HOME=%C DENO_DIR=%C/edge-dispatcher/deno",
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
    "# The node speaks through systemd-notify, a child of its own.",
    "NotifyAccess=all",
    `WatchdogSec=${WATCHDOG_SECONDS}`,
    `ExecStart=${start.map(quoted).join(" ")}`,
    "Restart=always",
    "RestartSec=2",
    "# A configuration that is wrong stays wrong.",
    "RestartPreventExitStatus=2 78",
    "# The node decides what becomes of its worker hosts; what is left at the end goes with it.",
    "KillMode=mixed",
    "# Running tasks have shutdown_wait; the rest is for giving back what is unfinished.",
    `TimeoutStopSec=${stopSeconds(plan)}`,
    "# A worker host that the kernel ends for its memory is the node's affair.",
    "OOMPolicy=continue",
    "LimitNOFILE=65536",
  ];
}

function started(plan: Plan, binary: string): string[] {
  const words = command(plan, binary);
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
