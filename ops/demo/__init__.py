"""The closed-loop demo: simulated users, their visits, and what to show of it."""
