"""Mutation testing: each small fault that is put into the code on purpose should make a test fail."""
