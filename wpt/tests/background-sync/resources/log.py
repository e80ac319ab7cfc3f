"""A log of what pages and service workers tell the server, by the key in the query, which is a UUID.

POST adds the body to the log; GET answers with a line of JSON for each body, in order.
"""
import json


def main(request, response):
    key = request.GET[b"key"]
    stash = request.server.stash
    # Stashed values are taken out by reading them.
    with stash.lock:
        bodies = stash.take(key) or []
        if request.method == u"POST":
            bodies.append(request.body.decode(u"utf-8"))
        stash.put(key, bodies)
    headers = [
        (b"Content-Type", b"text/plain"),
        (b"Cache-Control", b"no-store"),
        (b"Access-Control-Allow-Origin", b"*"),
    ]
    lines = u"".join(json.dumps({u"body": body}) + u"\n" for body in bodies)
    return 200, headers, lines if request.method == u"GET" else u""
