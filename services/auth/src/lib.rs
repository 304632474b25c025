//! Users, passwords, sessions, roles, API keys and the keys that others verify tokens with.
