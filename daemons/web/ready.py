"""Ready answers: pages and their files as bytes that the front writes without asking the application.

A field of phones that opens the page at once asks for these and nothing else before its event streams. What
is answered is what `Assets.answer` answers; the application keeps its routes for every request not understood here.
"""

from collections.abc import Callable
from http import HTTPStatus

from daemons.web.assets import Asset, Assets, is_known
from daemons.web.connection import Ready
from daemons.web.head import Head
from daemons.web.httpdate import HttpDate

__all__ = ["ready_answers"]

_STATIC = "/static/"


def ready_answers(assets: Assets, utc_now: Callable[[], float]) -> Ready:
    """Return the front's `ready`: files under /static/, and the pages."""
    pages = assets.pages
    prepared: dict[tuple[str, bool, bool, bool], bytes] = {}
    date = HttpDate(utc_now)

    def ready(head: Head) -> bytes | None:
        if head.method not in ("GET", "HEAD"):
            return None
        path, _, query = head.target.partition("?")
        name = pages.get(path) or (path.removeprefix(_STATIC) if path.startswith(_STATIC) else "")
        asset = assets.files.get(name)
        if asset is None or (name.endswith(".html") and path not in pages):
            return None
        is_pinned = query == f"v={asset.version}"
        tags = head.header_list("if-none-match")
        is_same = bool(tags) and is_known(", ".join(tags), asset.version)
        packs = not is_same and "gzip" in (head.header("accept-encoding") or "")
        key = (name, is_pinned, is_same, packs)
        answer = prepared.get(key)
        if answer is None:  # 8 a file at most
            answer = prepared[key] = _head_bytes(
                assets, asset, is_pinned=is_pinned, is_same=is_same, packs=packs
            )
        content = b"" if is_same or head.method == "HEAD" else asset.packed if packs else asset.body
        return b"%s%s\r\n\r\n%s" % (answer, date.text(), content)

    return ready


def _head_bytes(assets: Assets, asset: Asset, *, is_pinned: bool, is_same: bool, packs: bool) -> bytes:
    """Return status line and headers up to the value of Date, which comes last."""
    status = HTTPStatus.NOT_MODIFIED if is_same else HTTPStatus.OK
    headers = assets.headers(asset, is_pinned=is_pinned)
    if not is_same:
        headers["Content-Type"] = asset.media_type
        headers["Content-Length"] = str(len(asset.packed if packs else asset.body))
    if packs:
        headers["Content-Encoding"] = "gzip"
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\nDate: ").encode("latin-1")
