import pytest

from daemons.race.ranks import rank_of
from daemons.web.guard import Rank
from daemons.web.head import Head


@pytest.mark.parametrize(
    ("target", "rank"),
    [
        ("/healthz", Rank.ESSENTIAL),
        ("/metrics?x", Rank.ESSENTIAL),
        ("/admin/status", Rank.ESSENTIAL),
        ("/", Rank.LIVE),
        ("/events?site=a", Rank.LIVE),
        ("/api/sites/a/board", Rank.LIVE),
        ("/static/app.js", Rank.LIVE),
        ("/schedule", Rank.LIVE),
        ("/api/v1/sites/a/stream?after=x", Rank.LIVE),
        ("/api/v1/status", Rank.ESSENTIAL),
        ("/api/v1/sites/a/races/b/versions?after=3", Rank.OTHER),
        ("/api/v1/sites/a/races/b/versions/c", Rank.OTHER),
        ("/api/v1/sites/a/races/b/history", Rank.OTHER),
        ("/api/sites/a/origin/events/x", Rank.OTHER),
        ("/api/sites/a/commands", Rank.OTHER),
        ("/administer", Rank.OTHER),
        ("http://x/healthz", Rank.OTHER),
    ],
)
def test_rank(target: str, rank: Rank) -> None:
    assert rank_of(Head("GET", target, ())) is rank
