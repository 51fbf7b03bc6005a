"""What is right, a module a chapter: a table of checks, by the number of the exercise."""
