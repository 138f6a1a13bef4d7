"""A back-end for Bridge in Python, with nothing but its standard library.

    BRIDGE_HOOK_SECRET=… PORT=3000 python3 server.py

The contract is docs/http-contract.md.
"""

import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("BRIDGE_HOOK_SECRET", "")
PORT = int(os.environ.get("PORT") or 3000)
MAX_BODY = 8 * 1024 * 1024
TOLERANCE = 5 * 60  # seconds


def authorize(question):
    if question.get("token") != "good-token":
        return {"error": "Wrong credentials"}
    return {"user_id": "38", "claims": {"name": "Ada"}, "channels": ["user/38"]}


def message(question):
    if question.get("type") != "sum":
        return {"error": "Unknown type"}
    payload = question.get("payload")
    if not isinstance(payload, dict) or not is_number(payload.get("a")) or not is_number(payload.get("b")):
        return {"error": "a and b must be numbers"}
    return {"payload": {"sum": payload["a"] + payload["b"]}}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def subscribe(question):
    channel, user = question.get("channel"), question.get("user_id")
    return {"allow": channel == "news" or (user is not None and channel == f"user/{user}")}


def closed(_question):
    return None  # forget what you keep for the session


# What Bridge asks, and what it is answered.
EVENTS = {"authorize": authorize, "message": message, "subscribe": subscribe, "closed": closed}


def signed(header, body):
    """Whether Bridge made this request, not long ago."""
    stamp, sums = "", []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            stamp = value
        elif name == "v1":
            sums.append(value)
    if not (stamp.isascii() and stamp.isdigit()) or len(stamp) > 18:
        return False
    if abs(time.time() - int(stamp)) > TOLERANCE:
        return False
    want = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(given.encode(), want.encode()) for given in sums)


def handle(header, body):
    # 400, not 401 or 403: those would tell the client that it is refused.
    if not signed(header, body):
        return 400, "Wrong signature"
    try:
        question = json.loads(body)
    except ValueError:
        return 400, "Wrong body"
    if not isinstance(question, dict):
        return 400, "Wrong body"
    answer = EVENTS.get(str(question.get("event")))
    said = answer(question) if answer else {"error": "Unknown event"}
    if said is None:
        return 204, ""
    return 200, json.dumps(said)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections
    wbufsize = -1  # one write a response
    timeout = 70  # longer than Bridge keeps a connection that it does not use

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
            self.close_connection = True
            self.end(413, "Too large")
            return
        body = self.rfile.read(int(length))
        self.end(*handle(self.headers.get("Bridge-Signature", ""), body))

    def do_GET(self):
        self.end(405, "Wrong method")

    def end(self, status, text):
        data = text.encode()
        self.send_response(status)
        if text.startswith("{"):
            self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args):
        pass


if __name__ == "__main__":
    if not SECRET:
        sys.exit("BRIDGE_HOOK_SECRET is not set")
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    server.daemon_threads = True
    print(f"listening on http://127.0.0.1:{PORT}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
