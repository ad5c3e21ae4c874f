"""RAGTruth QA and three sets of summaries: how well do support and its rivals find bad text?"""
