"""How schemathesis asks a running perchd: as the owner, who logs in anew every few seconds, because much of what is tried ends logins."""

import json
import os
import urllib.request

import schemathesis

URL = os.environ["PERCH_URL"]
ACCOUNT = {"username": os.environ["PERCH_USERNAME"], "password": os.environ["PERCH_PASSWORD"]}


@schemathesis.auth(refresh_interval=5)
class Login:
    def get(self, case, context):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{URL}/api/v1/auth/login", json.dumps(ACCOUNT).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
