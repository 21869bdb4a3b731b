"""An API server that knows as much as `fluxgate serve` asks for: lists, watches and /version, over TLS, for one token."""

import http.server
import json
import queue
import ssl
import threading
import urllib.parse

FLUX = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"
SOURCES = "/apis/source.toolkit.fluxcd.io/v1/gitrepositories"
NAMESPACES = "/api/v1/namespaces"
CRON_JOBS = "/apis/batch/v1/cronjobs"
GRANTS = "/api/v1/namespaces/fluxgate-system/configmaps"
TOKEN = "a-token-of-this-test"


def an_object(key, **more):
    namespace, _, name = key.rpartition("/")
    metadata = {"name": name, "resourceVersion": "5", **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
    return {"metadata": metadata, **more}


class ApiServer:
    """What is not in `collections` (path → objects) is not installed. Ends with the `with` block, or by `stop`."""

    def __init__(self, stage, collections):
        self.collections = collections
        self.watches = {}
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.asked = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                owner.answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=True)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(stage.certificate), str(stage.key))
        self.connections = []
        plain = self.server.get_request

        def get_request():
            connection, address = plain()
            connection.settimeout(30)
            connection = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            with self.lock:
                self.connections.append(connection)
            return connection, address

        self.server.get_request = get_request
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """As if the machine were gone: no new connections, and the old ones break."""
        if self.stopped.is_set():
            return
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(2)
                except OSError:
                    pass
                connection.close()

    def kubeconfig(self, stage, port=None, **user):
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{port or self.port}", "certificate-authority": str(stage.authority)}}],
            "users": [{"name": "test", "user": user or {"token": TOKEN}}],
        }
        return stage.write("kubeconfig.yaml", json.dumps(config))

    def send(self, path, event, changed):
        """To every watch of that collection, also those that are opened later from a list before."""
        with self.lock:
            for waiting in self.watches.get(path, []):
                waiting.put({"type": event, "object": changed})

    def answer(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.lock:
            self.asked.append((url.path, query))
        if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.reply(handler, 401, {"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "who are you?"})
        if url.path == "/version":
            return self.reply(handler, 200, {"major": "1", "minor": "34"})
        if url.path not in self.collections:
            return self.reply(handler, 404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": "not installed"})
        if query.get("watch") in ("1", "true"):
            return self.watch(handler, url.path)
        return self.reply(handler, 200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": self.collections[url.path]})

    @staticmethod
    def reply(handler, status, body):
        text = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def watch(self, handler, path):
        waiting = queue.Queue()
        with self.lock:
            self.watches.setdefault(path, []).append(waiting)
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.flush()
        handler.close_connection = True
        try:
            while not self.stopped.is_set():
                try:
                    line = json.dumps(waiting.get(timeout=0.1)).encode() + b"\n"
                except queue.Empty:
                    continue
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                handler.wfile.flush()
        except OSError:
            pass  # the caller has gone
