"""What the admin's pages of all apps have in common. They look as unfold makes them; it has no types, so the checker is
given Django's, which it extends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from adminkit.lists import DeclaredList

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as UnfoldModelAdmin
    from django.contrib.admin import TabularInline
else:
    from unfold.admin import ModelAdmin as UnfoldModelAdmin
    from unfold.admin import TabularInline

__all__ = ["Button", "ModelAdmin", "Page", "Section", "TabularInline", "as_uuid", "as_written", "ask", "link", "table"]

M = TypeVar("M", bound=Model)

COUNTED = 10_000  # rows of a list; to count a million takes as long as all else on the page


class BoundedPaginator(Paginator[Any]):
    """Pages of a table that grows for ever: it counts, and turns, no further than a person would."""

    @cached_property
    def count(self) -> int:
        return cast("QuerySet[Any]", self.object_list)[:COUNTED].count()


@dataclass(frozen=True)
class Button:
    """A link at the top of a page, to a form that asks before it does something."""

    label: str
    url: str
    variant: str = "default"  # unfold's: default, primary, danger


@dataclass(frozen=True)
class Section:
    """A part of a page below its fields."""

    title: str
    content: SafeString


class ModelAdmin(UnfoldModelAdmin[M], Generic[M]):
    """The pages of one table. Every page that is registered extends this one, those of packages too."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DeclaredList]:
        return DeclaredList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list, or an error where a filter in the address cannot be read."""
        response = super().changelist_view(request, extra_context)
        changelist = (getattr(response, "context_data", None) or {}).get("cl")
        for problem in changelist.problems if changelist else ():
            self.message_user(request, problem, messages.ERROR)
        return response

    def response_action(self, request: HttpRequest, queryset: QuerySet[M], *args: Any, **kwargs: Any) -> Any:
        """Run an action; none where a filter cannot be read, and so leaves no rows."""
        return None if queryset.query.is_empty() else super().response_action(request, queryset, *args, **kwargs)


class Page(ModelAdmin[M], Generic[M]):
    """The pages of one table: a list that is found in by indexes, and a page of a row with buttons and sections."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_disable_select_all = True  # an action is for what is seen: "all" would be more than the paginator counted
    change_list_template = "admin/list.html"
    change_form_template = "admin/page.html"

    def buttons(self, request: HttpRequest, row: M) -> Sequence[Button]:
        """Return what may be done about the row, by this person and now."""
        return ()

    def sections(self, request: HttpRequest, row: M) -> Sequence[Section]:
        """Return what is shown below the fields."""
        return ()

    def find(self, rows: QuerySet[M], text: str) -> QuerySet[M] | None:
        """Return the rows that an index finds for what was typed; None: search by `search_fields`, as Django does.

        Django's own exact search, "=field", asks for UPPER(field), which no index has: it reads the whole table.
        """
        return None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """Search by find(), if there is something to find."""
        text = search_term.strip()
        found = self.find(queryset, text) if text else queryset
        return super().get_search_results(request, queryset, search_term) if found is None else (found, False)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: M | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= {"buttons": self.buttons(request, obj), "sections": self.sections(request, obj)}
        return super().render_change_form(request, context, add, change, form_url, obj)


def ask(page: ModelAdmin[Any], request: HttpRequest, template: str, **shown: Any) -> HttpResponse:
    """Ask before something is done to the chosen rows, or to one.

    The template extends admin/confirm.html, whose form sends the same request again with `confirmed` and the fields of
    `form`, if one is `shown`.
    """
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "action": request.POST.get("action", ""),
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "across": request.POST.get("select_across", "0"),
        **shown,
    }
    return TemplateResponse(request, template, context)


def table(caption: str, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> SafeString:
    """Return a table with a row of headers; the caption tells those who cannot see it what it holds."""
    shown = {"caption": caption, "headers": headers, "rows": list(rows)}
    return render_to_string("admin/table.html", shown)


def link(text: object, view: str, *arguments: object, query: str = "") -> SafeString:
    """Return a link to a page of the admin, such as `orders_order_change`."""
    url = reverse(f"admin:{view}", args=arguments) + query
    return format_html('<a class="text-link underline" href="{}">{}</a>', url, text)


def as_written(text: str) -> SafeString:
    """Return a text with its line breaks."""
    return format_html('<pre class="as-written">{}</pre>', text)


def as_uuid(text: str) -> UUID | None:
    """Return the id that was typed, None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
