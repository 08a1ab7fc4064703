"""How schemathesis asks a running perchd: as the owner, who logs in anew every few seconds, because much of what is tried ends logins."""

import http.client
import json
import os

import schemathesis

HOST = os.environ["PERCH_HOST"]
ACCOUNT = {"username": os.environ["PERCH_USERNAME"], "password": os.environ["PERCH_PASSWORD"]}
# From elsewhere than where all the wrong passwords come from.
ADDRESS = ("127.0.0.2", 0)


@schemathesis.auth(refresh_interval=5)
class Login:
    def get(self, case, context):
        connection = http.client.HTTPConnection(HOST, timeout=10, source_address=ADDRESS)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/v1/auth/login", json.dumps(ACCOUNT), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise RuntimeError(f"cannot log in: {text}")
        return json.loads(text)["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
