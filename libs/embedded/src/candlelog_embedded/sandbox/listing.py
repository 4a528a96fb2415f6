"""A symbol's entry in `exchangeInfo`, of spot and of futures."""

from typing import Any, Final

from candlelog_embedded.sandbox.markets import Listing
from candlelog_embedded.sandbox.tenure import Tenure

_FIRST_DAY: Final = 1483228800000  # 2017-01-01
_NEVER: Final = 4133404800000  # what Binance says of a contract that is not to be delivered


def futures_entry(listing: Listing, tenure: Tenure, now: int) -> dict[str, Any]:
    """The entry, at that time, of a perpetual contract on the pair, settled in its quote asset."""
    tick, step = _step(listing.price_decimals), _step(listing.volume_decimals)
    return {
        "symbol": listing.symbol,
        "pair": listing.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": _NEVER if tenure.until is None else tenure.until,
        "onboardDate": _FIRST_DAY if tenure.since is None else tenure.since,
        "status": "TRADING" if tenure.trades(now) else "SETTLING",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.quote,
        "pricePrecision": listing.price_decimals,
        "quantityPrecision": listing.volume_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick,
                "maxPrice": "1000000",
                "tickSize": tick,
            },
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000000000", "stepSize": step},
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC"],
    }


def spot_entry(listing: Listing, tenure: Tenure, now: int) -> dict[str, Any]:
    """The entry, at that time, as Binance words it; prices and volumes move in the steps of the
    listing."""
    tick, step = _step(listing.price_decimals), _step(listing.volume_decimals)
    precisions = dict.fromkeys(
        (
            *("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision"),
            *("baseCommissionPrecision", "quoteCommissionPrecision"),
        ),
        8,
    )
    return {
        "symbol": listing.symbol,
        "status": "TRADING" if tenure.trades(now) else "BREAK",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        **precisions,
        "orderTypes": ["LIMIT", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick,
                "maxPrice": "1000000.00000000",
                "tickSize": tick,
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": step,
                "maxQty": "9000000000.00000000",
                "stepSize": step,
            },
            {"filterType": "NOTIONAL", "minNotional": "1.00000000", "maxNotional": "9000000.0000"},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _step(decimals: int) -> str:
    return f"{10.0**-decimals:.8f}"
