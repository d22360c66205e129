"""Which routes has a station? Its path is its code."""

from __future__ import annotations

from typing import Final

from api.recording import Noun
from domain.station import STATION, StationRegistered, StationRevised

STATIONS: Final = Noun("stations", STATION)
STATIONS.opens(StationRegistered, subject_named=True)
STATIONS.takes("revisions", StationRevised)
