"""What there is near by: hospitals, and published services whose area covers the place asked about, nearest first.

Words: 附近 = nearby, 服务范围 = service area, 距离 = distance (metres on the great circle), 最早可约 = next free.

The rows of this domain repeat facts of catalogue, hospitals and schedules; listeners rewrite them in the transaction
that changes those facts, so they are never late. Each rewrite takes the next change number under the lock of the
counter row: numbers become visible in their order, and "everything above the last number I have seen" misses nothing.
Every process keeps an immutable snapshot of the facts in memory, follows the numbers every half second, and is only
ever asked *which rows may match, and in what order*; the rows themselves are read by key with all filters repeated, and
the time of the next free place is asked of schedules.
"""
