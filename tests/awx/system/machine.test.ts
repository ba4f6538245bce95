/** What a node says that it can bear. */
import assert from "node:assert/strict";
import { cpuCapacity, memCapacity } from "../../../tasks/system/heartbeat/capacity.ts";
import { machine } from "../../../tasks/system/heartbeat/machine.ts";
import { test } from "../../harness.ts";

const WHOLE = { cpu: 8, memoryMb: 16_384 };
const MB = 1024 * 1024;

function measured(files: Record<string, string>) {
  return machine((path) => files[path], WHOLE);
}

test("machine() is the whole machine where no group has a limit", () => {
  assert.deepEqual(measured({}), WHOLE);
  assert.deepEqual(
    measured({
      "/proc/self/cgroup": "0::/user.slice\n",
      "/sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
      "/sys/fs/cgroup/user.slice/memory.max": "max\n",
    }),
    WHOLE,
  );
});

test("machine() keeps to the tightest limit of the groups above it", () => {
  const files = {
    "/proc/self/cgroup": "0::/system.slice/dispatcher.service\n",
    "/sys/fs/cgroup/system.slice/cpu.max": "150000 100000\n",
    "/sys/fs/cgroup/system.slice/dispatcher.service/cpu.max": "400000 100000\n",
    "/sys/fs/cgroup/system.slice/memory.max": "max\n",
    "/sys/fs/cgroup/system.slice/dispatcher.service/memory.max": `${4_096 * MB}\n`,
  };
  assert.deepEqual(measured(files), { cpu: 1.5, memoryMb: 4_096 });
});

test("machine() finds a container's limits at the root, of version 2 and of version 1", () => {
  const second = { "/sys/fs/cgroup/cpu.max": "200000 100000\n", "/sys/fs/cgroup/memory.max": `${512 * MB}` };
  assert.deepEqual(measured({ "/proc/self/cgroup": "0::/\n", ...second }), { cpu: 2, memoryMb: 512 });
  const first = {
    "/proc/self/cgroup": "9:memory:/docker/1f\n4:cpu,cpuacct:/docker/1f\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    // What version 1 says where there is none.
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
  };
  assert.deepEqual(measured(first), { cpu: 0.5, memoryMb: WHOLE.memoryMb });
  assert.deepEqual(measured({ ...first, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n" }), WHOLE);
});

test("machine() measures this one", () => {
  const here = machine();
  assert.ok(here.cpu > 0 && here.memoryMb > 64, JSON.stringify(here));
});

test("capacity is four forks a core, and one for each 100 MB beyond 2 GB, at least one", () => {
  assert.equal(cpuCapacity({ cpu: 8, memoryMb: 0 }), 32);
  assert.equal(cpuCapacity({ cpu: 0.1, memoryMb: 0 }), 1);
  assert.equal(memCapacity({ cpu: 8, memoryMb: 16_384 }), 143);
  assert.equal(memCapacity({ cpu: 8, memoryMb: 512 }), 1);
});
