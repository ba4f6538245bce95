"""A client and a minimal node that speak the wire of dispatcherd, for tests: none of its code is ours.

  dispatcherd.py publish CHANNEL MESSAGE...      each a JSON message; long ones go in chunks
  dispatcherd.py control CHANNEL COMMAND DATA TIMEOUT EXPECTED
  dispatcherd.py socket PATH COMMAND DATA
  dispatcherd.py node CHANNEL NAME               listens until stdin ends; says "ready" first
"""

import json
import os
import random
import select
import socket
import sys
import time
import uuid

import psycopg

LIMIT = 7999
KEY = "__dispatcherd_chunk__"


def connect():
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def payloads(text):
    """The payloads of a message, those of a long one shuffled, as nothing promises their order."""
    if len(text.encode()) <= LIMIT:
        return [text]
    size = 3000
    slices = [text[at : at + size] for at in range(0, len(text), size)]
    message_id = uuid.uuid4().hex
    made = [
        json.dumps({KEY: "v1", "message_id": message_id, "index": i, "total": len(slices), "payload": part})
        for i, part in enumerate(slices)
    ]
    random.shuffle(made)
    return made


def send(connection, channel, message):
    for payload in payloads(json.dumps(message)):
        connection.execute("SELECT pg_notify(%s, %s)", (channel, payload))


class Assembler:
    def __init__(self):
        self.parts = {}

    def take(self, payload):
        """The message, or None while chunks of it are missing."""
        message = json.loads(payload)
        if KEY not in message:
            return message
        assert message[KEY] == "v1", message
        parts = self.parts.setdefault(message["message_id"], {})
        parts[message["index"]] = message["payload"]
        if len(parts) < message["total"]:
            return None
        del self.parts[message["message_id"]]
        return json.loads("".join(parts[i] for i in range(message["total"])))


def wait(connection, seconds):
    """What has been notified, waiting for the first of it."""
    # One that came with the answer to a statement is no news of the socket.
    if not connection.heard:
        select.select([connection], [], [], max(0, seconds))
    connection.execute("SELECT 1")
    found, connection.heard = connection.heard, []
    return found


def listen(connection, channel):
    connection.heard = []
    connection.add_notify_handler(lambda notify: connection.heard.append(notify.payload))
    connection.execute('LISTEN "{}"'.format(channel))


def publish(channel, *messages):
    with connect() as connection:
        for text in messages:
            send(connection, channel, json.loads(text))


def control(channel, command, data, timeout, expected):
    reply_to = "reply_to_" + str(uuid.uuid4()).replace("-", "_")
    assembler = Assembler()
    replies = []
    payload_count = 0
    with connect() as connection:
        listen(connection, reply_to)
        message = {"control": command, "reply_to": reply_to}
        if json.loads(data):
            message["control_data"] = json.loads(data)
        send(connection, channel, message)
        end = time.monotonic() + float(timeout)
        while len(replies) < int(expected) and time.monotonic() < end:
            for payload in wait(connection, end - time.monotonic()):
                payload_count += 1
                assert len(payload.encode()) < 8000
                reply = assembler.take(payload)
                if reply is not None:
                    replies.append(reply)
    print(json.dumps({"replies": replies, "payloads": payload_count}))


def over_socket(path, command, data):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(20)
        connection.connect(path)
        message = {"control": command, "reply_to": "reply_to_socket"}
        if json.loads(data):
            message["control_data"] = json.loads(data)
        connection.sendall(json.dumps(message).encode() + b"\n")
        with connection.makefile(encoding="utf-8") as lines:
            print(json.dumps({"replies": [Assembler().take(lines.readline())]}))


def answer(name, command, data):
    worker = {"worker_id": 0, "pid": os.getpid(), "status": "ready", "finished_count": 0}
    running = {"worker-0": {"uuid": "5b0b6a36-6b3c-4b2e-9f8b-2f6f7c1f9a10", "task": "examples.sleep", "args": [5]}}
    if command == "running" and data.get("task", "examples.sleep") != "examples.sleep":
        running = {}
    commands = {
        "alive": {},
        "running": running,
        "workers": {"worker-0": worker},
        # Over 8,000 bytes, with characters that JSON escapes: goes in chunks.
        "status": {"running": running, "workers": {"worker-0": worker}, "text": "h\u00e9\U0001f600" * 3000},
    }
    found = commands.get(command, {"error": "No control method " + command})
    return {**found, "node_id": name}


def node(channel, name):
    assembler = Assembler()
    with connect() as connection:
        listen(connection, channel)
        print("ready", flush=True)
        while True:
            if not connection.heard and sys.stdin in select.select([connection, sys.stdin], [], [])[0]:
                return
            for payload in wait(connection, 0):
                message = assembler.take(payload)
                if message and "control" in message and message.get("reply_to"):
                    reply = answer(name, message["control"], message.get("control_data") or {})
                    send(connection, message["reply_to"], reply)


if __name__ == "__main__":
    commands = {"publish": publish, "control": control, "socket": over_socket, "node": node}
    commands[sys.argv[1]](*sys.argv[2:])
