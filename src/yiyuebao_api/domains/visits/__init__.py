"""Visits (上门服务): somebody comes, step by step, and the patient confirms."""
