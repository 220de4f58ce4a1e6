"""Log lines, traces and request metrics of the whole site. The figures of the bus belong to events/."""
