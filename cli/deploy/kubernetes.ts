/**
 * Manifests for Kubernetes: a deployment with probes, a disruption budget, and KEDA's scaling by the age of the oldest
 * envelope that waits; for callback receivers the same without scaling.
 *
 * @module
 */
import { argumentsOf, type Plan, RECEIVER_PORT, stopSeconds } from "./plan.ts";

const NODE_PORT = 8070;

/** How far it scales; of receivers there are `min`. */
export interface Scale {
  image: string;
  name: string;
  namespace: string;
  min: number;
  max: number;
  /** Seconds that the oldest envelope may wait before there are more nodes. */
  age: number;
}

/** What KEDA asks the database: how long the oldest envelope has waited that could run, in seconds. */
export function oldestAgeQuery(queues: readonly string[]): string {
  const names = queues.map((queue) => `'${queue.replaceAll("'", "''")}'`).join(", ");
  return "select coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 " +
    `from dispatcher.envelope where state = 'available' and queue in (${names})`;
}

/** Build the manifests, in the order in which they are to be applied. */
export function manifests(plan: Plan, scale: Scale): Record<string, unknown>[] {
  const { name, namespace } = scale;
  const labels = { "app.kubernetes.io/name": name };
  const metadata = { name, namespace, labels };
  return [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata,
      type: "Opaque",
      stringData: {
        DATABASE_URL: "postgres://user:password@host:5432/database",
        DISPATCHER_HTTP_AUTH: "bearer:viewer:probe:change-this-token",
      },
    },
    { apiVersion: "v1", kind: "ServiceAccount", metadata, automountServiceAccountToken: false },
    deployment(plan, scale, metadata, labels),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: labels, ports: [{ name: "http", port: portOf(plan), targetPort: "http" }] },
    },
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata,
      spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
    },
    ...plan.role === "node" ? scaling(plan, scale, metadata) : [],
  ];
}

function portOf({ role }: Plan): number {
  return role === "node" ? NODE_PORT : RECEIVER_PORT;
}

type Metadata = { name: string; namespace: string; labels: Record<string, string> };

function deployment(
  plan: Plan,
  scale: Scale,
  metadata: Metadata,
  labels: Record<string, string>,
): Record<string, unknown> {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      // Of nodes no replicas: KEDA sets them.
      ...plan.role === "receiver" ? { replicas: scale.min } : {},
      selector: { matchLabels: labels },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: metadata.name,
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: stopSeconds(plan),
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            runAsGroup: 1000,
            fsGroup: 1000,
            seccompProfile: { type: "RuntimeDefault" },
          },
          topologySpreadConstraints: [{
            maxSkew: 1,
            topologyKey: "kubernetes.io/hostname",
            whenUnsatisfiable: "ScheduleAnyway",
            labelSelector: { matchLabels: labels },
          }],
          containers: [container(plan, scale)],
          volumes: [{ name: "tmp", emptyDir: {} }],
        },
      },
    },
  };
}

/** What only nodes have. */
function nodeOf({ config }: Plan) {
  return {
    name: "dispatcher",
    env: [
      { name: "DISPATCHER_HTTP", value: `0.0.0.0:${NODE_PORT}` },
      { name: "DISPATCHER_QUEUES", value: config.queues.join(",") },
    ],
    // The dispatcher, and what each slot takes with its share of a host.
    memory: 256 + 32 * config.pool.min_workers,
  };
}

/** What only receivers have. The arguments make one of a node's image as well. */
function receiverOf(plan: Plan) {
  return { name: "receiver", args: argumentsOf(plan, `0.0.0.0:${RECEIVER_PORT}`), env: [], memory: 256 };
}

function container(plan: Plan, { name: secret, image }: Scale): Record<string, unknown> {
  const probe = (path: string) => ({ httpGet: { path, port: "http" }, timeoutSeconds: 5 });
  const { memory, env, ...own } = plan.role === "node" ? nodeOf(plan) : receiverOf(plan);
  return {
    ...own,
    image,
    env: [
      ...env,
      { name: "DISPATCHER_SHUTDOWN_WAIT", value: `${plan.config.shutdown_wait}` },
      { name: "DISPATCHER_LOG_FORMAT", value: "json" },
    ],
    envFrom: [{ secretRef: { name: secret } }],
    ports: [{ name: "http", containerPort: portOf(plan) }],
    startupProbe: { ...probe("/livez"), periodSeconds: 2, failureThreshold: 60 },
    livenessProbe: { ...probe("/livez"), periodSeconds: 10, failureThreshold: 3 },
    readinessProbe: { ...probe("/readyz"), periodSeconds: 5, failureThreshold: 2 },
    resources: { requests: { cpu: "250m", memory: `${memory}Mi` }, limits: { memory: "2Gi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
  };
}

function scaling({ config }: Plan, scale: Scale, metadata: Metadata): Record<string, unknown>[] {
  const { name } = metadata;
  return [
    {
      apiVersion: "keda.sh/v1alpha1",
      kind: "TriggerAuthentication",
      metadata,
      spec: { secretTargetRef: [{ parameter: "connection", name, key: "DATABASE_URL" }] },
    },
    {
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata,
      spec: {
        scaleTargetRef: { name },
        minReplicaCount: scale.min,
        maxReplicaCount: scale.max,
        pollingInterval: 15,
        // A node that is no longer wanted drains; it need not be soon.
        advanced: {
          horizontalPodAutoscalerConfig: {
            behavior: {
              scaleDown: {
                stabilizationWindowSeconds: 300,
                policies: [{ type: "Pods", value: 1, periodSeconds: 60 }],
              },
            },
          },
        },
        triggers: [{
          type: "postgresql",
          // The age itself, not divided by the number of nodes.
          metricType: "Value",
          metadata: { query: oldestAgeQuery(config.queues), targetQueryValue: `${scale.age}` },
          authenticationRef: { name },
        }],
      },
    },
  ];
}
