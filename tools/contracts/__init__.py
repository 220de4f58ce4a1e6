"""`make contracts`: what the code promises to those outside, as files that a review reads and a release keeps.

For each contract: the files that the code makes of it, and what a change breaks for readers of the last release.
"""
