"""What tests of several rooms share: the servers, people and their clients, the shop's goods and orders, and answers.

What one room's tests need alone stays in that room; nothing of the product imports this, and fixtures stand in
`conftest.py`.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
