"""The app on a model: pages, keys, what is asked before a deed."""

from tests.tui.app.world import in_textual, shown, site


@in_textual
async def test_the_overview_shows_the_hub_and_its_sites_in_80_by_24() -> None:
    async with shown() as face:
        face.world.tell({"north": site(), "south": site(connected=False, last_seen_at=1_800_000_000.0 - 300)})
        await face.settle()
        print(face.text)
        assert "1 of 2 sites connected" in face.title
        north = next(line for line in face.lines if "north" in line)
        assert north.split()[:3] == ["●", "north", "connected"]
        assert north.split()[5:] == ["40", "ms", "120", "ms", "3", "1", "2", "0"]
        assert any("south" in line and "gone for 5 min" in line and "✗" in line for line in face.lines)
