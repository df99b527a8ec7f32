"""Static HTML pages for merchants.

    __main__         the command
    folder           writes the folder: pages, CSV files, definitions, index
    merchant_page    what the page of a merchant shows
    csv_files        the CSV files beside it
    marts            queries
    figures          sums and headline metrics
    comparison       merchants of similar size
    charts           geometry of the charts
    dates, formats   how dates and numbers are written

The pages contain only what merchant_flyer_daily and merchant_hourly show, sums of it, and medians over groups of
merchants. So they cannot reveal anything about the few readers whom the marts leave out.
"""
