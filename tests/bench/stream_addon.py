"""What plain mitmdump needs to pass an event stream on unbuffered: its default is to hold the whole answer."""

from mitmproxy import http


def responseheaders(flow: http.HTTPFlow) -> None:
    if flow.response and flow.response.headers.get("content-type", "").startswith("text/event-stream"):
        flow.response.stream = True
