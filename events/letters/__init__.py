"""The dead letters: what a person does about them, their groups, and how a shell shows them."""
