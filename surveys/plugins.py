"""What this app offers to the registries of the house."""

from sqcore.demo.chapters import CHAPTERS
from sqcore.indicators.sources import SOURCES
from surveys.demo.chapters import AnswersChapter, SystemChapter
from surveys.responses.sources import SurveySource

SOURCES.register(SurveySource())
CHAPTERS.register(AnswersChapter())
CHAPTERS.register(SystemChapter())
