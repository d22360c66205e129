"""Which routes have projects, competitions, task books, reviews, brands and months?"""

from __future__ import annotations

from typing import Final

from api.recording import Noun
from domain.programme import (
    BRAND,
    COMPETITION,
    PROJECT,
    PROJECT_REVIEW,
    TASK_BOOK,
    BrandRegistered,
    CompetitionAwarded,
    CompetitionEntered,
    ProjectReviewPresented,
    ServiceProjectDrafted,
    TaskBookApproved,
    TaskBookDrafted,
    TaskBookRevised,
    TaskBookSubmitted,
)
from domain.station_month import (
    MONTH,
    NarrativeWritten,
    PlanItemAdded,
    PlanItemCarriedOver,
    PlanItemCompleted,
    ReflectionWritten,
)

projects = Noun("projects", PROJECT)
projects.opens(ServiceProjectDrafted)

competitions = Noun("competitions", COMPETITION)
competitions.opens(CompetitionEntered)
competitions.takes("award", CompetitionAwarded)

task_books = Noun("task-books", TASK_BOOK)
task_books.opens(TaskBookDrafted)
task_books.takes("revisions", TaskBookRevised)
task_books.takes("submission", TaskBookSubmitted)
task_books.takes("approval", TaskBookApproved)

project_reviews = Noun("project-reviews", PROJECT_REVIEW)
project_reviews.opens(ProjectReviewPresented)

brands = Noun("brands", BRAND)
brands.opens(BrandRegistered)

months = Noun("months", MONTH)
months.takes("narrative", NarrativeWritten)
months.takes("reflections", ReflectionWritten)
months.takes("plan-items", PlanItemAdded)
months.takes("plan-items/completions", PlanItemCompleted)
months.takes("plan-items/carry-overs", PlanItemCarriedOver)

PROGRAMME: Final = (projects, competitions, task_books, project_reviews, brands, months)
