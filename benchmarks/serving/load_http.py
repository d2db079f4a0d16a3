"""Sends one body again and again over HTTP; prints the seconds of it all.

python load_http.py PORT PATH BODY_FILE HEADERS_AS_JSON CLIENTS REQUESTS_EACH
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

port, path, body_file, headers, clients, requests_each = sys.argv[1:]
body = Path(body_file).read_bytes()


def connect(_: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=600)
    connection.connect()
    return connection


def send(connection: http.client.HTTPConnection) -> None:
    for _ in range(int(requests_each)):
        connection.request("POST", path, body, json.loads(headers))
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content[:500]


with ThreadPoolExecutor(int(clients)) as threads:
    connections = list(threads.map(connect, range(int(clients))))
    started = time.perf_counter()
    list(threads.map(send, connections))
    print(time.perf_counter() - started)
