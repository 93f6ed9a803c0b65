"""Thirty days in the life of the order desk, made up but believable.

`cast` are the people and machines, `books` what they ordered, `visits` what they did, and
`diary` puts it together day by day. All chance comes from one `random.Random`.
"""
