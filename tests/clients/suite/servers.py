"""What nats-py's own tests call `tests.utils`: how they start servers.

The source archive holds the tests and not this module, so here is one with the same names. Each
server is started on the port that a test asks for; or, with `SUITE_GATEWAY` naming the program,
on another one, behind a gateway on the port that was asked for. The tests are not changed.

A gateway stays when its server is stopped, as it would in life, and goes with the test.
`SUITE_SUMMARY` names a file that gets what each gateway counted.
"""

import asyncio
import http.client
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
from functools import wraps

HERE = pathlib.Path(__file__).resolve().parent
GATEWAY = os.environ.get("SUITE_GATEWAY")
SUMMARY = os.environ.get("SUITE_SUMMARY", os.devnull)
SERVER = os.environ["SUITE_SERVER"]

# Far enough above every port of the tests, and below those that the system hands out.
BEHIND = 10000
START_SECONDS_MAX = 10


def get_config_file(name):
    return str(HERE / name)


def with_timeout(seconds):
    def decorate(test):
        @wraps(test)
        def run(case, *args, **kwargs):
            return asyncio.run(asyncio.wait_for(test(case, *args, **kwargs), seconds))

        return run

    return decorate


async_test = with_timeout(5)
async_long_test = with_timeout(20)


def wait_for(what, is_there):
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end:
        if is_there():
            return
        time.sleep(0.01)
    raise TimeoutError(what)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_healthy(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/varz")
        return connection.getresponse().status == 200
    except OSError:
        return False


class NATSD:
    """A server, and the gateway before it if there is one."""

    def __init__(self, port=4222, http_port=8222, arguments=(), config=None, with_jetstream=False):
        self.port = port
        self.http_port = http_port
        self.arguments = list(arguments)
        self.store_dir = tempfile.mkdtemp() if with_jetstream else None
        if with_jetstream:
            self.arguments += ["-js", "-sd", self.store_dir]
        if config:
            self.arguments += ["--config", get_config_file(config)]
        self.proc = None
        self.gateway = None

    def start(self):
        port = self.port + BEHIND if GATEWAY else self.port
        command = [SERVER, "-a", "127.0.0.1", "-p", str(port), "-m", str(self.http_port)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.proc = subprocess.Popen(command + self.arguments, **quiet)
        if GATEWAY and self.gateway is None:
            self.start_gateway(port)
        return self.proc

    def start_gateway(self, port):
        url = "nats://127.0.0.1:{}"
        command = [GATEWAY, "gateway", "--listen", url.format(self.port)]
        command += ["--broker", url.format(port)]
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        self.gateway = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if "listening on" not in self.gateway.stdout.readline():
            raise RuntimeError("the gateway does not start")

    def send_signal(self, number):
        if self.proc.poll() is None:
            self.proc.send_signal(number)

    def stop(self):
        if self.proc is not None and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()

    def close(self):
        self.stop()
        if self.gateway is not None:
            self.gateway.send_signal(signal.SIGTERM)
            said, _ = self.gateway.communicate(timeout=START_SECONDS_MAX)
            with open(SUMMARY, "a", encoding="utf-8") as summary:
                summary.write(said)
        if self.store_dir:
            shutil.rmtree(self.store_dir, ignore_errors=True)


def start_natsd(server):
    server.start()
    wait_for("the server's monitoring port", lambda: is_healthy(server.http_port))
    wait_for("the port of the tests", lambda: listens(server.port))


class ServersTestCase(unittest.TestCase):
    """Starts the servers that a subclass names, for each of its tests."""

    started = None

    def servers(self):
        return []

    def setUp(self):
        super().setUp()
        self.loop = asyncio.new_event_loop()
        self.server_pool = self.servers()
        for server in self.server_pool[: self.started]:
            start_natsd(server)
        self.natsd = self.server_pool[0]
        self.ssl_ctx = client_context()

    def tearDown(self):
        for server in self.server_pool:
            server.close()
        self.loop.close()


def client_context():
    context = ssl.create_default_context(purpose=ssl.Purpose.SERVER_AUTH)
    context.load_verify_locations(get_config_file("certs/ca.pem"))
    context.load_cert_chain(
        get_config_file("certs/client-cert.pem"), get_config_file("certs/client-key.pem")
    )
    return context


def of_user(user, password):
    return ["--user", user, "--pass", password]


def tls():
    files = {"--tlscert": "server-cert", "--tlskey": "server-key", "--tlscacert": "ca"}
    named = [[flag, get_config_file(f"certs/{name}.pem")] for flag, name in files.items()]
    return ["--tls", "--tlsverify", *(word for pair in named for word in pair)]


def member(number, routes, arguments=()):
    """One of the servers of a cluster."""
    listen = f"nats://127.0.0.1:{6222 + number}"
    cluster = ["--cluster_name", "CLUSTER", "--cluster_listen", listen, "--routes", routes]
    return NATSD(4222 + number, 8222 + number, [*cluster, *arguments])


class SingleServerTestCase(ServersTestCase):
    def servers(self):
        return [NATSD()]


class MultiServerAuthTestCase(ServersTestCase):
    encryption = ()

    def servers(self):
        users = [of_user("foo", "bar"), of_user("hoge", "fuga")]
        return [
            NATSD(4223 + number, 8223 + number, [*user, *self.encryption])
            for number, user in enumerate(users)
        ]


class MultiServerAuthTokenTestCase(ServersTestCase):
    def servers(self):
        tokens = ["token", "token", "secret"]
        return [
            NATSD(4223 + number, 8223 + number, ["--auth", token])
            for number, token in enumerate(tokens)
        ]


class TLSServerTestCase(ServersTestCase):
    def servers(self):
        return [NATSD(4224, arguments=tls())]


class MultiTLSServerAuthTestCase(MultiServerAuthTestCase):
    def servers(self):
        self.encryption = tls()
        return super().servers()


class TLSServerHandshakeFirstTestCase(ServersTestCase):
    def servers(self):
        return [NATSD(4224, config="conf/tls_handshake_first.conf")]


class ClusteringTestCase(ServersTestCase):
    # The tests start the others.
    started = 1

    def servers(self):
        routes = ",".join(f"nats://127.0.0.1:{port}" for port in (6223, 6224, 6225))
        return [member(number, routes) for number in (1, 2, 3)]


class ClusteringDiscoveryAuthTestCase(ServersTestCase):
    def servers(self):
        routes = "nats://127.0.0.1:6223"
        return [member(number, routes, of_user("foo", "bar")) for number in (1, 2, 3)]


class SingleJetStreamServerTestCase(ServersTestCase):
    def servers(self):
        return [NATSD(with_jetstream=True)]


class SingleJetStreamServerLimitsTestCase(ServersTestCase):
    def servers(self):
        return [NATSD(config="conf/js-limits.conf", with_jetstream=True)]


class NoAuthUserServerTestCase(ServersTestCase):
    def servers(self):
        return [NATSD(4555, config="conf/no_auth_user.conf")]
