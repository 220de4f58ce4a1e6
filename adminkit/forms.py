"""Controls of the forms that we make ourselves, as unfold makes those of tables. Its class names are its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.forms import NumberInput, Textarea, TextInput
else:
    from unfold.widgets import UnfoldAdminIntegerFieldWidget as NumberInput
    from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
    from unfold.widgets import UnfoldAdminTextInputWidget as TextInput

__all__ = ["NumberInput", "TextInput", "Textarea"]
