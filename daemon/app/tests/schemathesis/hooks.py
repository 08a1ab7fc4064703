"""How schemathesis asks a running perchd: as an owner who is made anew every few seconds at the machine's console, because much of what is tried ends
logins, renames the account, or deletes it."""

import http.client
import json
import os
import secrets
import socket

import schemathesis

HOST = os.environ["PERCH_HOST"]
CONSOLE = os.environ["PERCH_CONSOLE"]
PASSWORD = "correct horse battery"
# From elsewhere than where all the wrong passwords come from.
ADDRESS = ("127.0.0.2", 0)


class Console(http.client.HTTPConnection):
    """The daemon's socket in its data directory."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(CONSOLE)


def ask(connection, path, body):
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status >= 300:
        raise RuntimeError(f"{path}: {answer.status} {text}")
    return json.loads(text)


@schemathesis.auth(refresh_interval=5)
class Login:
    def get(self, case, context):
        account = {"username": f"o{secrets.token_hex(8)}", "password": PASSWORD}
        ask(Console("console", timeout=20), "/api/v1/users", account | {"role": "owner"})
        login = http.client.HTTPConnection(HOST, timeout=20, source_address=ADDRESS)
        return ask(login, "/api/v1/auth/login", account)["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
