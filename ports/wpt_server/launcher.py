"""Runs the server of upstream's checkout in the current folder: python3 -c LAUNCHER CONFIG

It goes around the checkout's command-line tool, which wants to set up an environment, and makes the server run
with versions of Python that it is too old for.
"""

import importlib.util
import os
import signal
import ssl
import sys
import threading


def end_with_parent():
    """When who started the server is gone, standard input ends, and the server with all its processes."""
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


def mend_six():
    """Python 3.12 asks importers only for find_spec, of which the checkout's six knows nothing."""
    import six

    importer = six._importer
    if hasattr(importer, "find_spec"):
        return

    def find_spec(self, name, path=None, target=None):
        if name in self.known_modules:
            return importlib.util.spec_from_loader(name, self)

    kind = type(importer)
    kind.find_spec = find_spec
    kind.create_module = lambda self, spec: self.load_module(spec.name)
    kind.exec_module = lambda self, module: None


def mend_ssl():
    """Python 3.12 has no ssl.wrap_socket."""
    if hasattr(ssl, "wrap_socket"):
        return

    def wrap_socket(socket, keyfile=None, certfile=None, server_side=False, **ignored):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certfile, keyfile)
        return context.wrap_socket(socket, server_side=server_side)

    ssl.wrap_socket = wrap_socket


def main():
    threading.Thread(target=end_with_parent, daemon=True).start()
    if importlib.util.find_spec("cgi") is None:
        version = sys.version.split()[0]
        sys.exit(f"it needs Python 3.8 to 3.12, or the package legacy-cgi; this is {version}")
    sys.path.insert(0, os.path.join(os.getcwd(), "tools"))
    import localpaths  # sets sys.path

    mend_ssl()
    if importlib.util.find_spec("six") is not None:
        mend_six()
    from serve import serve

    arguments = serve.get_parser().parse_args(["--config", sys.argv[1], "--no-h2"])
    sys.exit(serve.run(**vars(arguments)))


main()
