"""The parts of an encrypted round: clients, server, and how uploads are collected."""
