"""The only bridge from outcomes and labels to arrays, and from there to a report.

labels --truth--> one truth per sample and criterion --+
                                                       +--join--> units --> stats --> Calibration
run    --outcomes, rewards ----------------------------+
"""
