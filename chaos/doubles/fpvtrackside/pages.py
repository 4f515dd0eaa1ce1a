"""The page that FPVTrackside serves for `/` and for whatever it does not know, and the files beside it.

The content is the double's own; what others rely on is the one line `new EventManager("events/<guid>", ...)`,
the only place where the open event can be learned.
"""

from .channels import channel_rows
from .shapes import dump

__all__ = ["HOME", "default_httpfiles", "render_home"]

HOME = "index.html"
_BOM = "\ufeff"

_INDEX = """\
<!DOCTYPE html>
<html lang="en">
<head>
    <meta charset="utf-8">
    <title>FPVTrackside (stand-in)</title>
    <link rel="stylesheet" href="/httpfiles/style.css">
    <script src="/httpfiles/Accessor.js"></script>
    <script src="/httpfiles/Formatter.js"></script>
    <script src="/httpfiles/Graph.js"></script>
    <script src="/httpfiles/EventManager.js"></script>
</head>
<body>
    <h1>Local results – a stand-in</h1>
    <div id="content"></div>
    <script>
        const accessor = new Accessor();
        const eventManager = new EventManager("%eventDirectory%", accessor);
        eventManager.show(document.getElementById("content"));
    </script>
</body>
</html>
"""
_ACCESSOR = "class Accessor { async get(path) { return (await fetch(path)).json(); } }\n"
_EVENT_MANAGER = """\
class EventManager {
    constructor(directory, accessor) { this.directory = directory; this.accessor = accessor; }
    async show(element) {
        const event = await this.accessor.get(this.directory + "/Event.json");
        element.textContent = Formatter.title(event[0]);
    }
}
"""
_FORMATTER = "class Formatter { static title(event) { return event.Name; } }\n"
_GRAPH = "class Graph {}\n"
_STYLE = "body { font-family: sans-serif; }\n"


def default_httpfiles() -> dict[str, bytes]:
    """Return what lies beside the events: home page (with a BOM, as the real one), scripts, Channels.json."""
    texts = {
        HOME: _BOM + _INDEX,
        "httpfiles/Accessor.js": _ACCESSOR,
        "httpfiles/EventManager.js": _EVENT_MANAGER,
        "httpfiles/Formatter.js": _FORMATTER,
        "httpfiles/Graph.js": _GRAPH,
        "httpfiles/style.css": _STYLE,
    }
    files = {path: text.replace("\n", "\r\n").encode() for path, text in texts.items()}
    files["httpfiles/Channels.json"] = dump(channel_rows())
    return files


def render_home(template: bytes, event_id: str | None) -> bytes:
    """Fill in the open event as the real one does: read as text (no BOM), sent as ASCII (`–` becomes `?`)."""
    directory = f"events/{event_id}" if event_id else ""
    text = template.decode("utf-8-sig", errors="replace").replace("%eventDirectory%", directory)
    return text.encode("ascii", errors="replace")
