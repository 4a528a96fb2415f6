"""What every Candlelog service shares: contracts, market rules, the log, the stores."""
