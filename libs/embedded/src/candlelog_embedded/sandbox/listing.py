"""A symbol's entry in `exchangeInfo`, of spot and of futures."""

from typing import Any

from candlelog_embedded.sandbox.markets import Listing


def futures_entry(listing: Listing) -> dict[str, Any]:
    """The entry of a perpetual contract on the pair, settled in its quote asset."""
    tick, step = _step(listing.price_decimals), _step(listing.volume_decimals)
    return {
        "symbol": listing.symbol,
        "pair": listing.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1483228800000,
        "status": "TRADING",
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


def spot_entry(listing: Listing) -> dict[str, Any]:
    """The entry as Binance words it; prices and volumes move in the steps of the listing."""
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
        "status": "TRADING",
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
