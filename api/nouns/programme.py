"""Which routes have projects, competitions, task books, reviews, brands, months, definitions?"""

from __future__ import annotations

from typing import Final

from api.indicators import refuse_what_does_not_close
from api.recording import Noun
from domain.indicators import INDICATOR, IndicatorDefined, IndicatorRevised
from domain.programme import (
    BRAND,
    COMPETITION,
    PROJECT,
    PROJECT_REVIEW,
    BrandRegistered,
    CompetitionAwarded,
    CompetitionEntered,
    ProjectReviewPresented,
    ServiceProjectDrafted,
)
from domain.station_month import (
    MONTH,
    NarrativeWritten,
    PlanItemAdded,
    PlanItemCarriedOver,
    PlanItemCompleted,
    ReflectionWritten,
)
from domain.task_book import (
    TASK_BOOK,
    TaskBookApproved,
    TaskBookDrafted,
    TaskBookRevised,
    TaskBookSubmitted,
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
task_books.takes("approval", TaskBookApproved, by="task-books/approval")

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

indicator_definitions = Noun(
    "indicator-definitions", INDICATOR, before=refuse_what_does_not_close
)
indicator_definitions.opens(IndicatorDefined, subject_named=True)
indicator_definitions.takes("revisions", IndicatorRevised)

PROGRAMME: Final = (
    projects, competitions, task_books, project_reviews, brands, months, indicator_definitions
)
