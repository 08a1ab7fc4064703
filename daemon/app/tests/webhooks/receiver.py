"""A receiver of webhooks. It checks each signature as the Standard Webhooks specification says (standardwebhooks.com), and prints what came as a line
of JSON; first its port.

    receiver.py FOLDER [CERTIFICATE KEY]

The secret of the webhook at /NAME is read from FOLDER/NAME. /redirect answers with a redirect, /slow does not answer. With a certificate it speaks
TLS.
"""

import base64
import hashlib
import hmac
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[1])


def is_genuine(name, headers, body):
    secret = base64.b64decode((FOLDER / name).read_text().removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(f"v1,{expected}", headers["webhook-signature"])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        name = self.path.strip("/")
        if name == "slow":
            threading.Event().wait(60)
            return
        told = {"at": name, "id": self.headers["webhook-id"], "genuine": is_genuine(name, self.headers, body), "body": json.loads(body)}
        print(json.dumps(told), flush=True)
        self.send_response(302 if name == "redirect" else 204)
        if name == "redirect":
            self.send_header("Location", "/ok")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
server.daemon_threads = True
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[2:4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
