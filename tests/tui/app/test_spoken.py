"""What is typed behind `:` and means a site."""

from tests.tui.recorded import UTC, recorded
from tui.app.spoken import understand
from tui.model import Model


def model(*daemons: str) -> Model:
    """Return what these know: by their names the hub or the site that was recorded."""
    made = Model()
    for daemon in daemons:
        made.told(daemon, recorded(daemon.partition("-")[0]), 10.0, UTC)
    return made


def test_a_site_that_hub_and_itself_tell_of_is_opened_at_the_hub() -> None:
    both = model("cloud", "pits")
    (name,) = {site for _, site in both.sites}
    for typed in (f"site {name}", name, f"s {name[:3]}"):
        meant = understand(typed, both, [])
        assert (meant.kind, meant.daemon, meant.site) == ("site", "cloud", name)


def test_a_site_that_two_hubs_tell_of_is_asked_about_with_both_named() -> None:
    two = model("cloud-a", "cloud-b")
    (name,) = {site for _, site in two.sites}
    meant = understand(f"site {name}", two, [])
    assert meant.kind == "unknown"
    assert f"{name} at cloud-a, {name} at cloud-b" in meant.words


def test_a_site_that_nobody_tells_of_is_said_to_be_none() -> None:
    meant = understand("site nowhere", model("cloud"), [])
    assert (meant.kind, meant.words) == ("unknown", "no site is called 'nowhere'")
