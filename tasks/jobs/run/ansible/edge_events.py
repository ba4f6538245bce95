"""Ansible's own output, told as events: what a callback prints travels with what it is about.

Events leave through standard output, between what else is printed, so that their order is that of what happened.
Each is one JSON text in ASCII, cut into frames that a pipe takes as a whole:

    RS mark ":" ("+" more follows | "." the last one) text US

`mark` is EDGE_EVENTS_MARK, which nobody else knows.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import datetime, timezone

if os.environ.get("EDGE_EVENTS_DISPLAY") == "minimal":
    from ansible.plugins.callback.minimal import CallbackModule as Base
else:
    from ansible.plugins.callback.default import CallbackModule as Base

DOCUMENTATION = """
    name: edge_events
    type: stdout
    short_description: events of a run, as lines of JSON within its output
    extends_documentation_fragment:
      - default_callback
      - result_format_callback
    requirements:
      - set as stdout in configuration
"""

MARK = os.environ.pop("EDGE_EVENTS_MARK", "")
# A write of up to PIPE_BUF bytes is never mixed with another's.
FRAME = 3900
# Characters of a result, of a text within it, and elements of a list within it.
RESULT_LIMIT = 64_000
TEXT_LIMIT = 4_000
LIST_LIMIT = 50
STDOUT_LIMIT = 64_000


class Display:
    """The display of a callback; while an event is gathered, what is displayed is its."""

    def __init__(self, real):
        self._real = real
        self._lines = None

    def __getattr__(self, name):
        return getattr(self._real, name)

    def display(self, msg, color=None, stderr=False, screen_only=False, log_only=False, newline=True, **more):
        if self._lines is None:
            self._real.display(msg, stderr=stderr, newline=newline)
        elif not log_only:
            self._lines.append(str(msg) + ("\n" if newline else ""))

    def banner(self, msg, color=None, cows=True):
        text = str(msg).strip()
        self.display("\n%s %s" % (text, "*" * max(3, 79 - len(text))))

    def begin(self):
        self._lines = []

    def end(self):
        text, self._lines = "".join(self._lines), None
        if len(text) > STDOUT_LIMIT:
            text = "%s\n[%d characters left out]\n" % (text[:STDOUT_LIMIT], len(text) - STDOUT_LIMIT)
        return text


def part(result, name):
    """A part of a task's result: newer versions have it without the underscore."""
    found = getattr(result, name, None)
    return getattr(result, "_" + name) if found is None else found


def plain(value):
    """What JSON can say, for what it cannot (undecryptable or lazy values among them)."""
    return str(value)


def text_of(value):
    return json.dumps(value, default=plain, ensure_ascii=True)


def trimmed(value, depth=0):
    """A result without its bulk."""
    if isinstance(value, str):
        left = len(value) - TEXT_LIMIT
        return value if left <= 0 else "%s[%d characters left out]" % (value[:TEXT_LIMIT], left)
    if depth > 6:
        return "[left out]"
    if isinstance(value, dict):
        return {str(key): trimmed(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        kept = [trimmed(inner, depth + 1) for inner in value[:LIST_LIMIT]]
        return kept + ["[%d left out]" % (len(value) - LIST_LIMIT)] if len(value) > LIST_LIMIT else kept
    return value


def bounded(result):
    """A result as an event has it, in RESULT_LIMIT characters."""
    # Items have events of their own.
    kept = {key: value for key, value in result.items() if key != "results" and not key.startswith("_ansible_no")}
    if "results" in result:
        kept["results_count"] = len(result["results"])
    if len(text_of(kept)) <= RESULT_LIMIT:
        return kept
    kept = trimmed(kept)
    if len(text_of(kept)) <= RESULT_LIMIT:
        return kept
    small = {key: value for key, value in kept.items() if len(text_of(value)) <= TEXT_LIMIT / 4}
    names = [key for key in kept if key not in small]
    return dict(small, left_out=names[:LIST_LIMIT])


def now():
    return datetime.now(timezone.utc).isoformat()


class Events:
    """Writes events to standard output."""

    def __init__(self):
        self._lock = threading.RLock()

    def write(self, event):
        text = text_of(event)
        with self._lock:
            sys.stdout.flush()
            while len(text) > FRAME:
                self._frame("+", text[:FRAME])
                text = text[FRAME:]
            self._frame(".", text)

    @staticmethod
    def _frame(kind, text):
        left = ("\x1e%s:%s%s\x1f" % (MARK, kind, text)).encode("ascii")
        while left:
            left = left[os.write(1, left):]


class CallbackModule(Base):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "edge_events"

    def __init__(self):
        super().__init__()
        self._display = Display(self._display)
        self._events = Events()
        self._gathering = threading.RLock()
        # The events that others are part of: of the playbook, the play and the task.
        self._parents = {"playbook": None, "play": None, "task": None}
        self._about = {}
        # When a task began on a host.
        self._began = {}

    @contextmanager
    def _event(self, name, data, level=None):
        """Gather what is displayed, and write it with the event. `level`: of what it is the parent from now on."""
        with self._gathering:
            event = {"uuid": str(uuid.uuid4()), "event": name, "created": now()}
            if level:
                self._below(level, event["uuid"])
            parent = next((p for p in self._above(level) if p), None)
            self._display.begin()
            try:
                yield
            finally:
                stdout = self._display.end()
                about = dict(self._about, **data)
                if parent:
                    about["parent_uuid"] = parent
                self._events.write(dict(event, stdout=stdout, event_data=about))

    def _above(self, level):
        order = ["task", "play", "playbook"]
        return [self._parents[key] for key in (order[order.index(level) + 1:] if level else order)]

    def _below(self, level, own):
        self._parents[level] = own
        if level != "task":
            self._parents["task"] = None

    # ---- playbook, plays and tasks

    def v2_playbook_on_start(self, playbook):
        self._about = {"playbook": os.path.basename(getattr(playbook, "_file_name", "") or "")}
        with self._event("playbook_on_start", {}, "playbook"):
            super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play):
        hosts = play.hosts if isinstance(play.hosts, list) else [play.hosts]
        self._about = {
            "playbook": self._about.get("playbook", ""),
            "play": play.get_name().strip(),
            "play_uuid": str(play._uuid),
            "play_pattern": ",".join(str(host) for host in hosts),
        }
        with self._event("playbook_on_play_start", {"name": self._about["play"]}, "play"):
            super().v2_playbook_on_play_start(play)

    def _task_event(self, task, data, show):
        for key in ("task", "task_uuid", "task_action", "task_path", "role"):
            self._about.pop(key, None)
        self._about.update(self._task_data(task))
        with self._event("playbook_on_task_start", dict(data, name=self._about["task"]), "task"):
            show()

    @staticmethod
    def _task_data(task):
        data = {
            "task": task.get_name().strip(),
            "task_uuid": str(task._uuid),
            "task_action": task.action,
            "task_path": str(task.get_path() or ""),
        }
        role = getattr(task, "_role", None)
        if role:
            data["role"] = role.get_name()
        return data

    def v2_playbook_on_task_start(self, task, is_conditional):
        data = {"is_conditional": bool(is_conditional)}
        self._task_event(task, data, lambda: Base.v2_playbook_on_task_start(self, task, is_conditional))

    def v2_playbook_on_cleanup_task_start(self, task):
        self._task_event(task, {}, lambda: Base.v2_playbook_on_cleanup_task_start(self, task))

    def v2_playbook_on_handler_task_start(self, task):
        data = {"is_handler": True}
        self._task_event(task, data, lambda: Base.v2_playbook_on_handler_task_start(self, task))

    def v2_playbook_on_notify(self, handler, host):
        data = {"handler": handler.get_name(), "host": str(host)}
        with self._event("playbook_on_notify", data):
            super().v2_playbook_on_notify(handler, host)

    def v2_playbook_on_include(self, included_file):
        data = {"included_file": str(getattr(included_file, "_filename", ""))}
        with self._event("playbook_on_include", data):
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_no_hosts_matched(self):
        with self._event("playbook_on_no_hosts_matched", {}):
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_no_hosts_remaining(self):
        with self._event("playbook_on_no_hosts_remaining", {}):
            super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_stats(self, stats):
        data = {
            key: dict(getattr(stats, key, {}))
            for key in ("ok", "changed", "dark", "failures", "ignored", "processed", "rescued", "skipped")
        }
        data["artifact_data"] = bounded(dict(stats.custom.get("_run", {})))
        self._about = {"playbook": self._about.get("playbook", "")}
        self._below("play", None)
        with self._event("playbook_on_stats", data):
            super().v2_playbook_on_stats(stats)

    # ---- what happens on hosts

    def v2_runner_on_start(self, host, task):
        self._began[(host.get_name(), task._uuid)] = time.time()
        with self._event("runner_on_start", dict(self._task_data(task), host=host.get_name())):
            super().v2_runner_on_start(host, task)

    def _result_event(self, name, result, show, more=None):
        task, host, found = part(result, "task"), part(result, "host"), part(result, "result")
        ended = time.time()
        began = self._began.get((host.get_name(), task._uuid), ended)
        data = dict(self._task_data(task), host=host.get_name(), res=bounded(dict(found)), **(more or {}))
        data["start"] = datetime.fromtimestamp(began, timezone.utc).isoformat()
        data["end"] = datetime.fromtimestamp(ended, timezone.utc).isoformat()
        data["duration"] = round(ended - began, 6)
        address = getattr(host, "address", None)
        if address:
            data["remote_addr"] = str(address)
        if task.loop is not None:
            data["event_loop"] = task.loop_with or "loop"
        with self._event(name, data):
            show()

    def v2_runner_on_ok(self, result):
        self._result_event("runner_on_ok", result, lambda: Base.v2_runner_on_ok(self, result))

    def v2_runner_on_failed(self, result, ignore_errors=False):
        show = lambda: Base.v2_runner_on_failed(self, result, ignore_errors)  # noqa: E731
        self._result_event("runner_on_failed", result, show, {"ignore_errors": bool(ignore_errors)})

    def v2_runner_on_unreachable(self, result):
        self._result_event("runner_on_unreachable", result, lambda: Base.v2_runner_on_unreachable(self, result))

    def v2_runner_on_skipped(self, result):
        self._result_event("runner_on_skipped", result, lambda: Base.v2_runner_on_skipped(self, result))

    def v2_runner_on_async_poll(self, result):
        self._result_event("runner_on_async_poll", result, lambda: Base.v2_runner_on_async_poll(self, result))

    def v2_runner_on_async_ok(self, result):
        self._result_event("runner_on_async_ok", result, lambda: Base.v2_runner_on_async_ok(self, result))

    def v2_runner_on_async_failed(self, result):
        show = lambda: Base.v2_runner_on_async_failed(self, result)  # noqa: E731
        self._result_event("runner_on_async_failed", result, show)

    def v2_runner_item_on_ok(self, result):
        self._result_event("runner_item_on_ok", result, lambda: Base.v2_runner_item_on_ok(self, result))

    def v2_runner_item_on_failed(self, result):
        self._result_event("runner_item_on_failed", result, lambda: Base.v2_runner_item_on_failed(self, result))

    def v2_runner_item_on_skipped(self, result):
        self._result_event("runner_item_on_skipped", result, lambda: Base.v2_runner_item_on_skipped(self, result))

    def v2_runner_retry(self, result):
        self._result_event("runner_retry", result, lambda: Base.v2_runner_retry(self, result))

    def v2_on_file_diff(self, result):
        # Nothing to show, nothing to tell: it is called for each result.
        diff = part(result, "result").get("diff")
        loop = part(result, "task").loop and "results" in part(result, "result")
        if not diff and not loop:
            return
        with self._event("runner_on_file_diff", {"host": part(result, "host").get_name()}):
            super().v2_on_file_diff(result)
