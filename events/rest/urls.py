from django.urls import path

from events.rest import views

urlpatterns = [
    path("dead-letters", views.LetterListView.as_view()),
    path("dead-letters/replay", views.ReplayManyView.as_view()),
    path("dead-letters/<id:letter_id>", views.LetterView.as_view()),
    path("dead-letters/<id:letter_id>/replay", views.ReplayView.as_view()),
    path("dead-letters/<id:letter_id>/discard", views.DiscardView.as_view()),
]
