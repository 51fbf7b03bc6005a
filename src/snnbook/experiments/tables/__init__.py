"""The papers' tables: YAML files, read and checked."""
