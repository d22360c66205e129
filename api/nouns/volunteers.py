"""Which routes have volunteers and their teams?"""

from __future__ import annotations

from typing import Final

from api.recording import Noun
from domain.volunteer import (
    VOLUNTEER,
    VOLUNTEER_TEAM,
    ServiceCertificateIssued,
    VolunteerRegistered,
    VolunteerServiceConfirmed,
    VolunteerServiceRecorded,
    VolunteerTeamRegistered,
)

volunteers = Noun("volunteers", VOLUNTEER)
volunteers.opens(VolunteerRegistered)
volunteers.takes("service-records", VolunteerServiceRecorded)
volunteers.takes("confirmations", VolunteerServiceConfirmed)
volunteers.takes("certificates", ServiceCertificateIssued)

volunteer_teams = Noun("volunteer-teams", VOLUNTEER_TEAM)
volunteer_teams.opens(VolunteerTeamRegistered)

VOLUNTEERING: Final = (volunteers, volunteer_teams)
