"""Events of reports."""

from uuid import UUID

from pydantic import Field

from events.types import EventData, register


@register
class ReportRequestedV1(EventData):
    """Somebody wants a report; what kind of one, of which days, stands in its row."""

    type = "report.requested.v1"
    example = {"report_id": "01a21971-2f40-7c11-9d3e-5a1f0c6b7e21"}
    report_id: UUID = Field(description="The report. What is wanted stands in its row.")

    @property
    def subject(self) -> UUID:
        return self.report_id
