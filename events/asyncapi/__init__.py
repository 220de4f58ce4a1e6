"""The AsyncAPI document of the map's events, its pages, and the contract that it keeps; for sites that have rest/."""
