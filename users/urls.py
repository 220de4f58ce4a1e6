from django.urls import path

from users import views

urlpatterns = [
    path("users", views.RegistrationView.as_view()),
    path("users/me", views.MeView.as_view()),
    path("users/<id:user_id>", views.UserView.as_view()),
    path("auth/token", views.TokenView.as_view()),
    path("auth/tokens", views.TokensView.as_view()),
]
