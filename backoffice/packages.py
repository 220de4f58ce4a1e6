"""The pages that packages bring, in the look of ours. What they show and allow is theirs."""

from django.contrib import admin
from django_celery_results.admin import GroupResultAdmin, TaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult
from knox.admin import AuthTokenAdmin
from knox.models import AuthToken

from adminkit.pages import ModelAdmin

admin.site.unregister([AuthToken, TaskResult, GroupResult])


@admin.register(AuthToken)
class TokenPage(AuthTokenAdmin, ModelAdmin[AuthToken]):  # type: ignore[misc]  # knox has no types
    """Bearer tokens of the API."""


@admin.register(TaskResult)
class TaskResultPage(TaskResultAdmin, ModelAdmin[TaskResult]):
    """What became of maintenance jobs and plain tasks."""


@admin.register(GroupResult)
class GroupResultPage(GroupResultAdmin, ModelAdmin[GroupResult]):
    """What became of groups of tasks."""
