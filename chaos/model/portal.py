"""The web page of a guest network, which answers in the place of whoever was meant."""

__all__ = ["PORTAL", "PORTAL_S"]

PORTAL_S = 10.0
"""So long the page waits for a request, and for whoever asked to go."""

PORTAL_PAGE = b"<!doctype html><title>Welcome</title><h1>Guest Wi-Fi</h1><p>Please sign in to go on.</p>\n"
PORTAL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    % len(PORTAL_PAGE)
) + PORTAL_PAGE
"""The answer, whole."""
