"""Masking, cleaning and truncating the values of an activity.

Everything here works on copies, in bounded and linear time.
"""
