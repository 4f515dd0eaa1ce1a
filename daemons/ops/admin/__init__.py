"""The admin API: what every daemon tells of itself, and what it can be told to do, each with the role it takes."""
