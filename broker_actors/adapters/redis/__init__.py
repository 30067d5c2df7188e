"""The store and the reply channels on Redis 7 or later, or Valkey."""
