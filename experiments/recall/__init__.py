"""Copying, recall and recall across synonyms: does the bilinear form help to find what was said?"""
