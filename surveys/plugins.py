"""What this app offers to the registries of the house."""

from sqcore.demo.chapters import CHAPTERS
from sqcore.indicators.sources import SOURCES
from sqcore.jobs.runner import JOB_KINDS
from surveys.demo.chapters import AnswersChapter, SystemChapter
from surveys.imports.services import ImportJob
from surveys.responses.sources import SurveySource

SOURCES.register(SurveySource())
CHAPTERS.register(AnswersChapter())
CHAPTERS.register(SystemChapter())
JOB_KINDS.register(ImportJob())
