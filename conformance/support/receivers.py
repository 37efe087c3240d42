"""What webhooks tell, as a receiver on this machine gets it."""

import http.server
import threading
import time


class Receiver:
    """Keeps what it is sent; answers 200, or the statuses that a test wants for bodies that have `about`."""

    def __init__(self):
        self.got, self.answers, self.about = [], [], ""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                wanted = receiver.answers and receiver.about in body
                self.send_response(receiver.answers.pop(0) if wanted else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def about_model(self, name, count):
        """What came about one model, once there is so much."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            got = [(headers, body) for headers, body in self.got if name in body]
            if len(got) >= count:
                return got
            time.sleep(0.05)
        raise AssertionError(f"only {len(got)} of {count} came: {got}")
