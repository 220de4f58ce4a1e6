"""The bus: event types, deliveries, the relay, the runner, the dead letters, and what is counted of them.

It knows no shop and no site: which types there are and who handles them, the deployment declares (settings.EVENTS).
"""
