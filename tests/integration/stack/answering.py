"""A process that does what a stack asks of any service: it listens where it is told and says that it is ready."""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

METRICS = b"""# TYPE cairn_projection_position gauge
cairn_projection_position{partition="0",topic="evidence.log"} 41
cairn_projection_position{partition="0",topic="mastery.changes"} 99
"""


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(METRICS if self.path == "/metrics" else b"ready")


if __name__ == "__main__":
    told = sorted(name for name in os.environ if name.endswith("_DATABASE"))
    sys.stdout.write(f"listening, told of {' '.join(told)}\n")
    sys.stdout.flush()
    if "--crash" in sys.argv:
        sys.exit(3)
    HTTPServer((os.environ["CAIRN_HOST"], int(os.environ["CAIRN_PORT"])), Answers).serve_forever()
