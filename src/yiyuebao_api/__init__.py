"""医约宝 (yiyuebao): home-visit care, booked, paid, carried out and settled."""

__version__ = "0.1.0"
